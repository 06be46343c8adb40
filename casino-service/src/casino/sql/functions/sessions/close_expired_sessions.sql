-- Purpose: close sessions that have expired and in which no bet waits for its answer, a page at a time.
-- Outcome: how many were closed, how many were looked at, and where the next page begins: after the last session that was
--   looked at, in the order of their opening. A page that is not full was the last one.
-- Never strands a round: a session with an open bet stays as it is until that bet is answered, and even in a closed
--   session credits and rollbacks land (protocol.md 3).
-- Lock order: casino.lock_wallets. A wallet that is in use is skipped: the session is looked at again in the next turn.
create or replace function casino.close_expired_sessions(
    p_ledger_id integer, p_after_opened_at timestamptz, p_after_session_id uuid, p_limit integer
)
returns table (o_closed integer, o_looked_at integer, o_opened_at timestamptz, o_session_id uuid)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now constant timestamptz := casino.clock();
    v_session_ids uuid[];
    v_wallet_ids bigint[];
begin
    -- No session expires before its life is over, and one that was extended was opened even earlier: the index by opening
    -- gives every candidate, and the few that are still alive among them are skipped.
    select
        count(*), (array_agg(page.opened_at order by page.opened_at desc, page.session_id desc))[1],
        (array_agg(page.session_id order by page.opened_at desc, page.session_id desc))[1],
        array_agg(page.session_id) filter (where page.is_due), array_agg(page.wallet_id) filter (where page.is_due)
    into o_looked_at, o_opened_at, o_session_id, v_session_ids, v_wallet_ids
    from (
        select opened_at, session_id, wallet_id, expires_at <= v_now and open_bets = 0 as is_due
        from casino.game_sessions
        where ledger_id = p_ledger_id and closed_at is null and opened_at <= v_now - casino.session_life()
            and (opened_at, session_id) > (p_after_opened_at, p_after_session_id)
        order by opened_at, session_id
        limit p_limit
    ) as page;

    -- Statements of their own: the second sees what the wallets' last holders committed.
    v_wallet_ids := casino.lock_wallets(p_ledger_id, v_wallet_ids);
    with closed as (
        update casino.game_sessions
        set closed_at = v_now
        where ledger_id = p_ledger_id and session_id = any (v_session_ids) and wallet_id = any (v_wallet_ids)
            and closed_at is null and expires_at <= v_now and open_bets = 0
        returning 1
    )
    select count(*) into o_closed from closed;
    return next;
end;
$$;
