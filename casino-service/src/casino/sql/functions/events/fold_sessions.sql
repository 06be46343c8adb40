-- Purpose: keep casino.session_snapshots: add what the next hour of events tells. The service calls it until all is told.
-- Outcome: whether there is more. Events are taken ten minutes after their time, because a transaction commits after the time that its
--   events have. One that took longer is missing until `casino events rebuild-snapshots`.
-- Locks: one call of a ledger at a time; the others return at once. A bet neither waits for it nor does a part of it.
create or replace function casino.fold_sessions(p_ledger_id integer)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_end constant timestamptz := casino.clock() - interval '10 minutes';
    v_from timestamptz;
    v_to timestamptz;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('casino.session_folds', p_ledger_id)) then
        return false;
    end if;
    select at into v_from
    from casino.ledger_events
    where ledger_id = p_ledger_id and at < v_end and at >= coalesce(
        (select folded_to from casino.session_folds where ledger_id = p_ledger_id), '-infinity'
    )
    order by at limit 1;
    if v_from is null then
        return false;
    end if;
    v_to := least(v_from + interval '1 hour', v_end);
    insert into casino.session_snapshots as kept
    select * from casino.sessions_told(p_ledger_id, v_from, v_to)
    on conflict (ledger_id, tenant_id, session_id) do update set
        player_id = coalesce(kept.player_id, excluded.player_id),
        started_at = least(kept.started_at, excluded.started_at),
        last_at = greatest(kept.last_at, excluded.last_at),
        events = kept.events + excluded.events,
        bets = kept.bets + excluded.bets,
        rolled_back_bets = kept.rolled_back_bets + excluded.rolled_back_bets,
        staked_minor = casino.capped_sum(kept.staked_minor, excluded.staked_minor),
        rolled_back_minor = casino.capped_sum(kept.rolled_back_minor, excluded.rolled_back_minor),
        paid_minor = casino.capped_sum(kept.paid_minor, excluded.paid_minor);
    insert into casino.session_folds (ledger_id, folded_to) values (p_ledger_id, v_to)
    on conflict (ledger_id) do update set folded_to = excluded.folded_to;
    return v_to < v_end;
end;
$$;
