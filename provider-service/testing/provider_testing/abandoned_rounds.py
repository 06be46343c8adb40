"""Inserts rounds as a crash leaves them."""

from __future__ import annotations

import uuid

import psycopg

from provider.outbox.calls import rollback_id_of
from provider.sessions.sealing import Sealer
from provider_testing.service import CASINO_KEY


def plant_abandoned_rounds(owner_url: str, count: int, *, token: str = "token") -> None:
    """Insert open rounds, each with one pending bet whose lease has ended."""
    sealed = Sealer([CASINO_KEY.secret]).seal(token)
    with psycopg.connect(owner_url) as connection:
        player = connection.execute(
            "insert into provider.players (casino_code, user_id) values ('JAQPOT', '1') returning player_id"
        ).fetchone()
        assert player is not None
        for _ in range(count):
            session, round_id, bet = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
            connection.execute(
                "insert into provider.game_sessions (provider_session_id, casino_code, casino_session_id, player_id,"
                " user_id, game_code, currency, token_sealed)"
                " values (%s, 'JAQPOT', %s, %s, '1', 'SLOTS_001', 'USD', %s)",
                (session, session.hex, player[0], sealed),
            )
            connection.execute(
                "insert into provider.rounds (round_id, provider_session_id, kind, lease_until)"
                " values (%s, %s, 'scripted', clock_timestamp())",
                (round_id, session),
            )
            connection.execute(
                "insert into provider.wallet_transactions (transaction_id, kind, reason, provider_session_id, round_id,"
                " amount_minor, currency, rollback_transaction_id, due_at)"
                " values (%s, 'debit', 'script', %s, %s, 1000, 'USD', %s, clock_timestamp())",
                (bet, session, round_id, rollback_id_of(bet)),
            )
