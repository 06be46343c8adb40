"""Which refusals are recorded for ever: those with 402, 403 and 423 that are decided after the id was looked up."""

from __future__ import annotations

import psycopg

from casino.errors import ERRORS
from casino_testing.service import settings_of
from casino_testing.tenant import OPENING_BALANCE_MINOR, Tenant
from casino_testing.wallet import Wallet, answer

FOUND_BEFORE_THE_ID = {"session_player_mismatch", "session_fingerprint_mismatch"}
REFUSE_EVERY_NEW_BET = """
    create or replace function casino.refusal_of(p_seen casino.seen_command)
    returns text language sql immutable parallel safe
    begin atomic
        select case when p_seen.first_state is not null then p_seen.first_code else 'game_disabled' end;
    end;
"""
OWN_REFUSALS = "select pg_get_functiondef('casino.refusal_of'::regproc) as text"


def test_the_database_remembers_the_refusals_with_402_403_and_423(shared_database: str) -> None:
    with psycopg.connect(shared_database) as connection:
        rows = connection.execute(
            "select code from unnest(%s::text[]) as code where casino.is_remembered(code)", [list(ERRORS)]
        ).fetchall()
    wanted = {code for code, kind in ERRORS.items() if kind.status in (402, 403, 423)} - FOUND_BEFORE_THE_ID
    assert {code for (code,) in rows} == wanted


def test_a_bet_refused_with_423_answers_the_same_for_ever(own_database: str) -> None:
    tenant = Tenant.demo(own_database)
    wallet = Wallet(tenant, settings_of(tenant))
    session = wallet.open_session()
    bet = session.debit()
    own = str(tenant.sql(OWN_REFUSALS)[0]["text"])
    tenant.sql(REFUSE_EVERY_NEW_BET)
    first = wallet.run(bet)
    tenant.sql(own)
    assert (first.code, first.replay) == ("game_disabled", False)
    again = wallet.run(bet)
    assert (again.code, again.replay) == ("game_disabled", True)
    assert answer(bet, again) == answer(bet, first)
    assert answer(bet, again)[0] == 423
    assert tenant.transaction(bet.transaction_id)["refusal_code"] == "game_disabled"
    assert tenant.balance() == OPENING_BALANCE_MINOR
    assert tenant.differences() == []
    wallet.accept(session.debit())
    wallet.close()
    tenant.close()
