"""The published truth table of docs/delivery-orders.md, held against the running casino over signed HTTP.

The wallet's own suite plays every order with every duplication; here each message comes once, as a provider sends it.
"""

from itertools import permutations
from pathlib import Path

import pytest

from e2e_testing.answers import Answer
from e2e_testing.game_session import GameSession, new_id
from shared_service_testing.sampling import paired

PAGE = Path(__file__).parents[2] / "docs" / "delivery-orders.md"
STAKE_MINOR, PAYOUT_MINOR = 1000, 2500
CANCELLED, NO_TRACE = "cancelled", "–"


def published_rows() -> dict[str, list[str]]:
    """The cells of the page's tables by order, without the longer orders."""
    rows = {}
    for line in PAGE.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        letters = cells[0].split()
        if letters and set(letters) <= set("DRCS") and len(set(letters)) == len(letters) >= 3:
            rows[cells[0]] = cells[1:]
    return rows


ROWS = published_rows()
ORDERS = [" ".join(order) for letters in ("DRC", "DRCS") for order in permutations(letters)]


def spoken(answer: Answer) -> str:
    """An answer in the words of the page."""
    flags = [name for name in ("tombstone", "alreadyRolledBack") if answer.content.get(name)]
    code = [] if answer.code is None else [answer.code]
    return " ".join([str(answer.status), *code, *flags, *(["replay"] if answer.is_replay else [])])


@pytest.mark.parametrize(("order", "names_bet"), paired(ORDERS, [True, False]))
def test_each_message_once_is_answered_in_every_order_as_the_page_says(
    session: GameSession, order: str, names_bet: bool
) -> None:
    """Row B3. Row B5. Row B6."""
    ids = {letter: new_id() for letter in "DRCS"}
    round_id, start = new_id(), session.balance()

    def deliver(letter: str) -> Answer:
        own = {"round_id": round_id, "transaction_id": ids[letter]}
        if letter == "D":
            return session.debit(STAKE_MINOR, **own)
        if letter == "C":
            return session.credit(PAYOUT_MINOR, related=ids["D"] if names_bet else None, **own)
        return session.rollback(ids["D"], **own)

    answers = [deliver(letter).must_be_signed() for letter in order.split()]
    states = [state_of(session, ids[letter]) for letter in "DRCS" if letter in order]
    said = [" · ".join(map(spoken, answers)), f"{session.balance() - start:+d}", *states]
    assert said == ROWS[order]


def state_of(session: GameSession, transaction_id: str) -> str:
    """What the casino says of a transaction when it is asked."""
    found = session.wallet.get(f"/casino/transactions/{transaction_id}?userId={session.user_id}")
    return NO_TRACE if found.verdict == (404, "not_found") else str(found.must_be_ok().content["state"])
