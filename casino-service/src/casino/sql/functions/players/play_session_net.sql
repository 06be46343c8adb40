-- Purpose: what a player won in a play session, payouts minus stakes; below 0 for a loss. What a game that was launched before took and
--   paid until it joined the play session is left out.
create or replace function casino.play_session_net(p_session casino.play_sessions)
returns numeric
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(sum(paid_minor::numeric - staked_minor + earlier_loss_minor), 0)
    from casino.game_sessions
    where ledger_id = (p_session).ledger_id and wallet_id = (p_session).wallet_id
        and play_session_id = (p_session).play_session_id;
$$;
