-- Purpose: end play sessions six hours after their last login or bet, a page at a time, and close ephemeral accounts in which
--   nothing is left.
-- Outcome: how many were looked at, and where the next page begins: after the last one, by login and id. A page that is not full
--   was the last one.
-- Lock order: casino.lock_wallets, the players, the play sessions. A wallet that is in use is left to the next turn.
create or replace function casino.end_play_sessions(
    p_ledger_id integer, p_after_login_at timestamptz, p_after_id uuid, p_limit integer,
    out o_looked_at integer, out o_login_at timestamptz, out o_id uuid
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_session casino.play_sessions;
    v_player casino.players;
    v_wallet casino.wallets;
    v_ids uuid[];
    v_wallet_ids bigint[];
begin
    select
        array_agg(page.play_session_id order by page.last_login_at, page.play_session_id), array_agg(page.wallet_id),
        count(*), max(page.last_login_at)
    into v_ids, v_wallet_ids, o_looked_at, o_login_at
    from (
        select play_session_id, wallet_id, last_login_at
        from casino.play_sessions
        where ledger_id = p_ledger_id and ended_at is null and last_login_at <= casino.clock() - casino.play_session_life()
            and (last_login_at, play_session_id) > (p_after_login_at, p_after_id)
        order by last_login_at, play_session_id
        limit p_limit
    ) as page;
    o_id := v_ids[cardinality(v_ids)];
    v_wallet_ids := casino.lock_wallets(p_ledger_id, v_wallet_ids);
    for v_session in
        select * from casino.play_sessions
        where ledger_id = p_ledger_id and play_session_id = any (v_ids) and wallet_id = any (v_wallet_ids)
            and ended_at is null
        order by wallet_id
    loop
        select * into v_player
        from casino.players
        where ledger_id = p_ledger_id and player_id = v_session.player_id
        for no key update;
        update casino.play_sessions as session
        set ended_at = casino.play_session_end(session)
        where ledger_id = p_ledger_id and play_session_id = v_session.play_session_id and ended_at is null
            and casino.play_session_end(session) <= casino.clock();
        if found then
            select * into v_wallet from casino.wallets where ledger_id = p_ledger_id and wallet_id = v_session.wallet_id;
            perform casino.end_if_empty(p_ledger_id, v_player, v_wallet);
        end if;
    end loop;
end;
$$;
