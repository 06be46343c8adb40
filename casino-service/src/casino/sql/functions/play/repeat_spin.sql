-- Purpose: let the next ask for a spin be a new one at the provider, because this one left no outcome and never will: its bet was
--   refused for a while only, or taken back, or its session is lost. casino.begin_spin then judges it anew.
-- Input: p_attempt, the ask that failed: of two callers one moves on. p_session_is_lost: the session takes no more spins.
-- Outcome: false while a bet of the session is open, because then an outcome may still come; else true.
-- Locks: one spin of a player begins at a time; the spin.
create or replace function casino.repeat_spin(
    p_ledger_id integer, p_player_id text, p_spin_id text, p_attempt integer, p_session_is_lost boolean
)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_session_id uuid;
begin
    perform pg_advisory_xact_lock(hashtextextended('casino.begin_spin of ' || p_ledger_id || ' ' || p_player_id, 0));
    select session_id into v_session_id
    from casino.spins
    where ledger_id = p_ledger_id and player_id = p_player_id and spin_id = p_spin_id and state = 'ASKED'
        and attempt = p_attempt and session_id is not null and casino.sees(p_ledger_id, tenant_id)
    for no key update;
    if not found then
        return true;
    end if;
    if exists (
        select from casino.game_sessions
        where ledger_id = p_ledger_id and session_id = v_session_id and open_bets > 0
    ) then
        return false;
    end if;
    update casino.spins set attempt = p_attempt + 1, session_id = null
    where ledger_id = p_ledger_id and player_id = p_player_id and spin_id = p_spin_id;
    if p_session_is_lost then
        perform casino.close_session(p_ledger_id, v_session_id);
    end if;
    return true;
end;
$$;
