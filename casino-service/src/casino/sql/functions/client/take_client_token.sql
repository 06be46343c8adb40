-- Purpose: let a player's own client call, p_burst times at once and p_per_second times a second, whichever process asks.
-- Outcome: 0 when the call may go on; else the seconds to wait, and nothing was taken. Null: there is no such player, and
-- so no row: who invents players fills no table.
-- A bucket is one instant, full_at: a call moves it one token further, and may do so while it is less than a whole bucket
-- ahead. Time that seems to run backwards (another process read its clock earlier) gives nothing back.
-- Locks: the player's bucket.
create or replace function casino.take_client_token(
    p_ledger_id integer, p_tenant_id text, p_player_id text, p_burst integer, p_per_second integer
)
returns double precision
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c_token constant interval := make_interval(secs => 1.0 / p_per_second);
    c_ahead constant interval := make_interval(secs => (p_burst - 1.0) / p_per_second);
    v_now constant timestamptz := casino.clock();
    v_full_at timestamptz;
begin
    perform 1
    from casino.wallets
    where ledger_id = p_ledger_id and tenant_id = p_tenant_id and player_id = p_player_id;
    if not found then
        return null;
    end if;

    insert into casino.rate_buckets as bucket (tenant_id, player_id, full_at)
    values (p_tenant_id, p_player_id, v_now + c_token)
    on conflict (tenant_id, player_id) do update
    set full_at = greatest(bucket.full_at, v_now) + c_token
    where bucket.full_at <= v_now + c_ahead;
    if found then
        return 0;
    end if;

    select full_at into v_full_at from casino.rate_buckets where tenant_id = p_tenant_id and player_id = p_player_id;
    return greatest(extract(epoch from coalesce(v_full_at, v_now) - c_ahead - v_now), extract(epoch from c_token) / 1000);
end;
$$;
