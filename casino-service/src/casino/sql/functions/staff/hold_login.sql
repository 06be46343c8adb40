-- Purpose: begin to judge a login of a name, known or not, from an address: one at a time of each.
-- Input: p_kind is staff or player.
-- Outcome: o_wait_seconds: 0, or the address must wait that long. o_locked_until: null, or until when the name is locked.
-- Locks: the address's row of casino.login_refusals, then the name's, to the end of the transaction, before all else of a login.
create or replace function casino.hold_login(p_ledger_id integer, p_kind text, p_name text, p_address inet)
returns table (o_wait_seconds integer, o_locked_until timestamptz)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into casino.login_refusals as known (ledger_id, counted, forget_at)
    values (p_ledger_id, casino.counted_network(p_address), casino.clock() + interval '2 minutes')
    on conflict (ledger_id, counted) do update set forget_at = greatest(known.forget_at, excluded.forget_at);
    insert into casino.login_refusals as known (ledger_id, counted, forget_at)
    values (p_ledger_id, casino.counted_name(p_kind, p_name), casino.clock() + interval '26 hours')
    on conflict (ledger_id, counted) do update set forget_at = greatest(known.forget_at, excluded.forget_at)
    returning locked_until into o_locked_until;
    o_locked_until := case when o_locked_until > casino.clock() then o_locked_until end;
    o_wait_seconds := casino.seconds_to_wait(p_ledger_id, p_address);
    return next;
end;
$$;
