-- Purpose: make the casino.session_snapshots of a ledger anew from its events, imported ones too. Sessions whose events were
--   detached stay as they are.
-- Outcome: how many snapshots there are.
-- Locks: waits for a call of casino.fold_sessions, and holds the next ones off. No bet waits.
create or replace function casino.rebuild_session_snapshots(p_ledger_id integer)
returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_end constant timestamptz := casino.clock() - interval '10 minutes';
    v_since timestamptz;
begin
    perform pg_advisory_xact_lock(hashtextextended('casino.session_folds', p_ledger_id));
    select coalesce(events_since, '-infinity') into v_since from casino.ledgers where ledger_id = p_ledger_id;
    delete from casino.session_snapshots where ledger_id = p_ledger_id and started_at >= v_since;
    insert into casino.session_snapshots
    select * from casino.sessions_told(p_ledger_id, v_since, v_end)
    on conflict do nothing;
    insert into casino.session_folds (ledger_id, folded_to) values (p_ledger_id, v_end)
    on conflict (ledger_id) do update set folded_to = excluded.folded_to;
    return (select count(*) from casino.session_snapshots where ledger_id = p_ledger_id);
end;
$$;
