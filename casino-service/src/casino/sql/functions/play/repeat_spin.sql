-- Purpose: let the next ask for a spin be another one, because this one left no outcome. casino.begin_spin then judges it anew.
-- Input: p_session_id, p_attempt: the ask that failed; of two callers one moves on. p_session_is_lost: the provider or the wallet does
--   not know the session. The provider is then asked for the same spin in another session, because it may have played it. Else:
--   the spin has ended at the provider without an outcome (its bet was refused for a while only, or taken back), and the next ask
--   is for a new one.
-- Outcome: false while a bet of the session is open, because then an outcome may still come; else true.
-- Locks: one spin of a player begins at a time; the spin.
create or replace function casino.repeat_spin(
    p_ledger_id integer, p_player_id text, p_spin_id text, p_session_id uuid, p_attempt integer, p_session_is_lost boolean
)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('casino.begin_spin of ' || p_ledger_id || ' ' || p_player_id, 0));
    perform from casino.spins
    where ledger_id = p_ledger_id and player_id = p_player_id and spin_id = p_spin_id and state = 'ASKED'
        and attempt = p_attempt and session_id = p_session_id and casino.sees(p_ledger_id, tenant_id)
    for no key update;
    if not found then
        return true;
    end if;
    if exists (
        select from casino.game_sessions
        where ledger_id = p_ledger_id and session_id = p_session_id and open_bets > 0
    ) then
        return false;
    end if;
    update casino.spins
    set attempt = case when p_session_is_lost then p_attempt else p_attempt + 1 end, session_id = null,
        may_be_played = p_session_is_lost
    where ledger_id = p_ledger_id and player_id = p_player_id and spin_id = p_spin_id;
    if p_session_is_lost then
        perform casino.close_session(p_ledger_id, p_session_id);
    end if;
    return true;
end;
$$;
