-- Purpose: whether a refusal is recorded and answers the same for ever: those with 402, 403 and 423 that are decided after the
--   id was looked up. A kind of entry says for itself whether this holds for it (casino.entry_kinds.remembers_refusals).
-- Without a `set` clause, so that it is inlined. `begin atomic` resolves its names now: the caller's search_path does not matter.
create or replace function casino.is_remembered(p_code text)
returns boolean
language sql immutable parallel safe
begin atomic
    select p_code in (
        'insufficient_balance', 'player_excluded', 'wallet_blocked', 'limit_exceeded', 'session_time_limit', 'cooldown_active',
        'bonus_ack_required',
        'game_disabled', 'play_stopped', 'provider_draining'
    );
end;
