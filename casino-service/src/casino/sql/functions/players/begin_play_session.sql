-- Purpose: log a player in to a play session: the one that runs goes on, else a new one begins.
-- Outcome: its id; null for a player who is not there. A play session that is over is ended here.
-- Lock order: casino.hold_wallets, the player, so that of two logins at once the second finds the first one's session, then game
--   sessions that are open: a batch that bets in several of them holds the wallet, too.
create or replace function casino.begin_play_session(p_ledger_id integer, p_player_id text)
returns uuid
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_player casino.players;
    v_running casino.play_sessions;
    v_now timestamptz;
    v_end timestamptz;
begin
    perform casino.hold_wallets(p_ledger_id, array(
        select wallet_id from casino.players where ledger_id = p_ledger_id and player_id = p_player_id
    ));
    select * into v_player from casino.players where ledger_id = p_ledger_id and player_id = p_player_id for no key update;
    v_now := casino.clock();
    select * into v_running
    from casino.play_sessions
    where ledger_id = p_ledger_id and player_id = p_player_id and ended_at is null;
    v_end := casino.play_session_end(v_running);
    if v_end > v_now then
        update casino.play_sessions
        set last_login_at = v_now
        where ledger_id = p_ledger_id and play_session_id = v_running.play_session_id;
        return v_running.play_session_id;
    end if;

    update casino.play_sessions
    set ended_at = v_end
    where ledger_id = p_ledger_id and play_session_id = v_running.play_session_id;
    insert into casino.play_sessions (
        ledger_id, tenant_id, player_id, wallet_id, opening_balance_minor, started_at, last_login_at, check_due_at
    )
    select
        ledger_id, tenant_id, player_id, wallet_id, balance_minor, v_now, v_now, v_now + casino.reality_check_every()
    from casino.wallets
    where ledger_id = p_ledger_id and wallet_id = v_player.wallet_id
    returning play_session_id into v_running.play_session_id;
    -- A game that was launched before: its bets count in the play session that runs.
    update casino.game_sessions
    set play_session_id = v_running.play_session_id, earlier_loss_minor = staked_minor - paid_minor
    where ledger_id = p_ledger_id and wallet_id = v_player.wallet_id and closed_at is null and expires_at > v_now;
    return v_running.play_session_id;
end;
$$;
