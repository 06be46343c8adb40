"""The SQL statements of spins, and of the games that providers offer."""

from __future__ import annotations

from typing import Final

BEGIN_SPIN: Final = """
    select
        o_state, o_code, o_sentence, o_attempt, o_wire_spin_id, o_provider_id, o_session_id, o_provider_session_id,
        o_game_code, o_currency
    from casino.begin_spin(
        %(ledger_id)s::integer, %(player_id)s, %(spin_id)s, %(stake_minor)s::bigint, %(game)s, %(session_id)s::uuid,
        %(token_hash)s::bytea, %(client_address)s::inet, %(live_providers)s::text[]
    )
"""
END_SPIN: Final = """
    select casino.end_spin(
        %(ledger_id)s::integer, %(player_id)s, %(spin_id)s, %(round_id)s, %(win_minor)s::bigint,
        %(balance_minor)s::bigint, %(events)s::json
    )
"""
REFUSE_SPIN: Final = """
    select casino.refuse_spin(%(ledger_id)s::integer, %(player_id)s, %(spin_id)s, %(code)s, %(sentence)s)
"""
REPEAT_SPIN: Final = """
    select casino.repeat_spin(
        %(ledger_id)s::integer, %(player_id)s, %(spin_id)s, %(session_id)s::uuid, %(attempt)s::integer,
        %(session_is_lost)s::boolean
    )
"""
PLAYED_SPIN: Final = """
    select
        spin.round_id, spin.stake_minor, spin.win_minor, spin.balance_minor, spin.bonus_triggered, spin.events::text,
        coalesce(extract(epoch from casino.clock() - running.started_at), 0)::bigint, running.check_due_at,
        casino.play_session_net(running)::bigint
    from casino.spins as spin
    left join casino.play_sessions as running
        on running.ledger_id = spin.ledger_id and running.player_id = spin.player_id and running.ended_at is null
    where spin.ledger_id = %(ledger_id)s and spin.player_id = %(player_id)s and spin.spin_id = %(spin_id)s
"""
NOTE_PROVIDER_GAMES: Final = "select casino.note_provider_games(%s::integer, %s, %s::jsonb)"
