"""An unreadable row of the wallet's feed is reported as a difference, and the other rows are still compared."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

from provider.reconciliation import compare
from provider_testing.fake_wallet import Exchange, FakeWallet
from provider_testing.reconciling import kinds, play, reconciled, transaction_of
from provider_testing.service import rows

SEED: Final = 8
ORDERS: Final = 8 if os.environ.get("NIGHTLY") == "1" else 1
"""In so many orders the rows are shown."""
UUID_LIKE: Final = "a9429bb3-9f71-4497-9fa4-{:012x}"

IDENTIFIER: Final = re.compile(r"[\x20-\x7e]{1,128}")
REQUIRED: Final = ("transactionId", "userId", "roundId", "type", "amount", "currency", "state", "balanceAfter")
WRONG: Final = (
    *(
        "null",
        "true",
        "false",
        "0",
        "-1",
        "1.5",
        "1e400",
        "-0",
        "[]",
        "{}",
        '""',
        '"x"',
        '"-1"',
        '"01"',
        '"+1"',
        '" 1"',
    ),
    *('"1\\u0000"', '"\\ud800"', '"\\ud83d\\ude00"', '"\\u00e9"', '"\\u0661"', '"\\u2028"', '"a\\nb"', '"usd"', '"US"'),
    *('"debit "', '"DEBIT"', '"bonus"', '"pending"', '"cancelled"', "NaN", "Infinity", "-Infinity", "1" + "0" * 5_000),
    *(str(2**53), str(2**63), str(2**64), f'"{2**62}"', f'"{2**62 + 1}"', f'"{2**63}"', f'"{10**400}"'),
    *(json.dumps("x" * 128), json.dumps("x" * 129), json.dumps("x" * 900), "[" * 60 + "]" * 60, '{"a":1,"a":2}'),
    *('"1:' + "0" * 64 + '"', '"0:' + "0" * 64 + '"', f'"{2**63 - 1}:' + "0" * 64 + '"', f'"{2**63}:' + "0" * 64 + '"'),
    *('"1:zz"', '"\xff"', '"\xed\xa0\x80"'),  # written out as Latin-1: no UTF-8
)
LATIN_1: Final = "latin-1"

Text = dict[str, str]
"""A row: each member's value as JSON text."""


def good_row(number: int) -> Text:
    row = {
        "transactionId": UUID_LIKE.format(number) if number % 2 else f"theirs {number}", "userId": "1", "roundId": "r",
        "type": "debit", "amount": 1000, "currency": "USD", "state": "committed", "balanceAfter": str(2**62),
    }  # fmt: skip
    return {name: json.dumps(value) for name, value in row.items()}


def mutations() -> Iterator[Callable[[Text], str]]:
    """Every way to spoil one member, and rows that are none."""
    for name in REQUIRED:
        yield lambda row, name=name: written({key: value for key, value in row.items() if key != name})
    for name in (*REQUIRED, "head", "relatedTransactionId", "originalTransactionId", "at", "more"):
        for value in WRONG:
            yield lambda row, name=name, value=value: written({**row, name: value})
    for kind, relation in (("credit", "relatedTransactionId"), ("rollback", "originalTransactionId")):
        for value in WRONG:
            spoilt = {"type": json.dumps(kind), relation: value}
            yield lambda row, spoilt=spoilt: written({**row, **spoilt})
    for name in REQUIRED:
        yield lambda row, name=name: written(row)[:-1] + f', "{name}": {row[name]}}}'
    for text in ("null", "1", '"x"', "[]", "{}", "NaN"):
        yield lambda _row, text=text: text


def written(row: Text) -> str:
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in row.items()) + "}"


def is_readable(text: str) -> bool:
    """What a row must be, written down again from the contract."""
    raw = text.encode(LATIN_1).decode("utf-8", "surrogateescape")
    odd: list[str] = []  # no member may be a list: what is no JSON value may not be one either
    row = json.loads(
        raw, object_pairs_hook=once, parse_constant=lambda _: odd, parse_int=lambda digits: int(digits[:99])
    )
    if not isinstance(row, dict):
        return False
    relation = {"credit": "relatedTransactionId", "rollback": "originalTransactionId"}.get(str(row.get("type")))
    related, head = row.get(relation) if relation else None, row.get("head")
    return (
        all(is_identifier(row.get(name)) for name in ("transactionId", "userId", "roundId"))
        and row.get("type") in ("debit", "credit", "rollback")
        and row.get("state") in ("committed", "settled", "rolled_back", "refused")
        and type(row.get("amount")) is int
        and 0 <= row["amount"] < 2**53
        and isinstance(row.get("currency"), str)
        and re.fullmatch("[A-Z0-9]{3,8}", row["currency"]) is not None
        and isinstance(row.get("balanceAfter"), str)
        and re.fullmatch("0|[1-9][0-9]{0,18}", row["balanceAfter"]) is not None
        and int(row["balanceAfter"]) <= 2**62
        and (related is None or is_identifier(related))
        and (head is None or is_head(head))
    )


def once(pairs: list[tuple[str, Any]]) -> Any:
    return dict(pairs) if len(dict(pairs)) == len(pairs) else []


def is_identifier(value: Any) -> bool:
    return isinstance(value, str) and IDENTIFIER.fullmatch(value) is not None


def is_head(value: Any) -> bool:
    found = re.fullmatch("([1-9][0-9]{0,18}):[0-9a-f]{64}", value) if isinstance(value, str) else None
    return found is not None and int(found[1]) < 2**63


def telling(raw: bytes) -> Callable[[Exchange], Awaitable[None]]:
    async def fault(exchange: Exchange) -> None:
        await exchange.send_bytes(200, raw)

    return fault


def page(texts: list[str], following: str = '"7"') -> bytes:
    return f'{{"transactions": [{", ".join(texts)}], "next": {following}}}'.encode(LATIN_1)


def own_texts(owner_url: str, wallet: FakeWallet) -> list[str]:
    ids = [str(row["transaction_id"]) for row in rows(owner_url, "select * from provider.wallet_transactions")]
    told = [wallet.model.told(each) for each in ids if each in wallet.model.transactions]
    return [json.dumps(each) for each in told]


SPOILT: Final = [spoil(good_row(number)) for number, spoil in enumerate(mutations())]


def test_the_generator_makes_every_member_wrong_and_leaves_some_rows_right() -> None:
    assert len(SPOILT) > 600
    assert 50 < sum(map(is_readable, SPOILT)) < len(SPOILT) / 2


async def test_every_bad_row_is_a_difference_and_its_neighbours_are_compared(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    """Row B11. Red before: each of them ended the run, and nobody learned which row it was."""
    await play(database_url, wallet)
    own = own_texts(owner_url, wallet)
    assert len(own) >= 5
    for turn in range(ORDERS):
        texts = [*own, *SPOILT]
        random.Random(SEED + turn).shuffle(texts)
        assert len(texts) <= 1000
        wallet.plan("transactions", telling(page(texts)))
        report = await reconciled(database_url, wallet, heals=False)
        assert (report["exitStatus"], report["failure"]) == (1, None)
        assert report["compared"] == len(texts)
        told = [kind for kind, _ in kinds(report)]
        assert told.count("unreadable") == sum(not is_readable(text) for text in SPOILT)
        assert set(told) == {"unreadable", "missing_here"}
        assert not {each["transactionId"] for each in report["differences"]} & {
            json.loads(t)["transactionId"] for t in own
        }
        for each in report["differences"]:
            assert len(json.dumps(each["theirs"])) < 4_000
            assert each["proposedRepair"]


def test_the_books_take_every_kind_of_difference_that_there_is(owner_url: str) -> None:
    (row,) = rows(
        owner_url,
        "select pg_get_constraintdef(oid) as said from pg_constraint where conname = 'difference_kind_known'",
    )
    names = {value for name, value in vars(compare).items() if name.isupper() and isinstance(value, str)}
    assert set(re.findall(r"'([a-z_]+)'", row["said"])) == names


async def test_a_row_that_is_told_twice_is_a_difference(database_url: str, owner_url: str, wallet: FakeWallet) -> None:
    await play(database_url, wallet)
    own = own_texts(owner_url, wallet)
    twice = str(transaction_of(owner_url, "credit")["transaction_id"])
    again = next(text for text in own if twice in json.loads(text)["transactionId"])
    wallet.plan("transactions", telling(page([again, *own], '"98"')))
    wallet.plan("transactions", telling(page([again], '"99"')))
    report = await reconciled(database_url, wallet)
    assert (report["exitStatus"], report["failure"], kinds(report)) == (1, None, [("repeated", twice)])


async def test_a_look_up_that_cannot_be_read_is_a_difference_of_that_transaction_alone(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    """The feed lacks a payout, and what the wallet says of it is nonsense: nothing is sent again on that ground."""
    await play(database_url, wallet)
    lost = str(transaction_of(owner_url, "credit")["transaction_id"])
    kept = [text for text in own_texts(owner_url, wallet) if json.loads(text)["transactionId"] != lost]
    sent = len(wallet.made("credit"))
    for bad in ('{"amount": -1}', "[]", "not JSON", '{"a": 1, "a": 1}', "9" * 5_000, "\xff"):
        wallet.forget_plans()
        wallet.plan("transactions", telling(page(kept)))
        wallet.plan("transaction", telling(bad.encode(LATIN_1)), times=50)
        report = await reconciled(database_url, wallet)
        assert (report["exitStatus"], report["failure"]) == (1, None), bad
        assert ("unreadable", lost) in kinds(report), bad
        assert len(wallet.made("credit")) == sent, bad


CURSORS: Final = [
    *("null", "1", "true", "[]", "{}", '""', '"abc"', '"-1"', '"1.0"', '" 1"', '"\\u0661"', '"0"', "NaN", '"\\ud800"'),
    *(f'"{2**63}"', '"' + "1" * 20 + '"', f'"{10**18 * 99}"', '"1' + "0" * 5_000 + '"', "9" * 5_000),
]


async def test_a_broken_cursor_ends_the_run_after_its_page_was_compared(database_url: str, wallet: FakeWallet) -> None:
    """The next page is unknown: the run reports that it could not finish, and what it found before."""
    good, bad = good_row(0), written({"amount": "1"})
    for cursor in CURSORS:
        wallet.forget_plans()
        wallet.plan("transactions", telling(page([written(good), bad], cursor)), times=50)
        report = await reconciled(database_url, wallet)
        assert (report["exitStatus"], report["failure"]) == (2, "feed_refused"), cursor[:24]
        assert kinds(report) == [("missing_here", "theirs 0"), ("unreadable", "row 2 after 0")], cursor[:24]


async def test_cursors_that_go_in_a_circle_end_the_run(database_url: str, wallet: FakeWallet) -> None:
    for following in ("5", "9", "3", "9"):
        wallet.plan("transactions", telling(page([written(good_row(0))], f'"{following}"')))
    report = await reconciled(database_url, wallet)
    assert (report["exitStatus"], report["failure"]) == (2, "feed_refused")
    assert len(wallet.made("transactions")) == 4


async def test_a_difference_of_the_form_is_no_reason_to_close_another(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    """Found missing there, and unreadable at the second look: it stays for people."""
    await play(database_url, wallet)
    bet = str(transaction_of(owner_url, "debit", "settled")["transaction_id"])
    del wallet.model.transactions[bet]
    nonsense = telling(b'{"amount": -1}')
    wallet.plan("transaction", nonsense, skip=1, times=50)
    report = await reconciled(database_url, wallet)
    found = {(each["kind"], each["healedBy"]) for each in report["differences"] if each["transactionId"] == bet}
    assert ("missing_there", None) in found
    assert report["failure"] is None
