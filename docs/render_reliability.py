"""Renders docs/delivery-orders.md from the model, and docs/proofs.md from the marks in the tests.

python docs/render_reliability.py            writes both
python docs/render_reliability.py --check    names each page that is not up to date, and ends with 1 if there is one

A row or a pitfall that no test names is an error: mark the test that proves it (`Row B3.` in its docstring), or write
that test.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import render_delivery_orders
from marks import Proof, marks

DOCS = Path(__file__).parent

ROWS = {
    "A1": "casino-service is killed under load",
    "A2": "provider-service is killed at every step of a round",
    "A3": "both are killed at once",
    "A4": "Postgres is killed, or stopped at once",
    "A8": "the disk under the WAL answers with errors",
    "A9": "a disk is full",
    "A10": "a server and its disks are gone, and it is restored from a backup",
    "A11": "a process or Postgres stands still and goes on later",
    "A13": "many clients on few wallets, in opposing orders",
    "B1": "a request or its answer is lost",
    "B2": "copies of a request, at the same instant",
    "B3": "a rollback comes before its bet",
    "B4": "a bet and its rollback at the same moment",
    "B5": "rollbacks and payouts that contradict what came before",
    "B6": "credits out of order, twice, or after their session",
    "B7": "messages that come minutes or a day late",
    "B8": "an id that comes again with other content",
    "B10": "flipped bits on the wire",
    "B11": "a peer that answers nonsense",
    "B12": "a kept connection that is closed while it is written to",
    "C1": "clocks that differ",
    "C2": "clocks that jump",
    "C3": "a session that ends in the middle of a round",
    "D1": "no connection to the database is free",
    "D3": "more load than can be served",
    "D4": "slow and silent connections",
    "D5": "bodies that are too large, endless or compressed",
    "D6": "JSON that is made to hurt",
    "D9": "everybody comes back at once after an outage",
    "E1": "requests that are sent again, anywhere",
    "E2": "requests that were changed on the way",
    "E3": "headers that are no signature",
    "E4": "signatures that are guessed by time",
    "E5": "keys that change under load, and revocation",
    "E6": "nonces that are burnt, or endless",
    "E7": "stolen, shared and fixed sessions",
    "G1": "many bets on the last cents",
    "G2": "ways around the rate limit",
    "G3": "amounts at every edge",
    "G7": "books that drift apart",
    "G8": "a ledger that somebody edits",
    "H1": "secrets in what is written",
    "H3": "one request followed through everything",
}
"""What has to be proven: the row of the test matrix, and what goes wrong in it."""
BESIDES = {
    "A5": "the primary database dies and its synchronous standby takes over",
    "A6": "an asynchronous standby lacks the last transactions",
    "A7": "a commit that its standby did not confirm",
    "D2": "connections that were left behind hold the database",
    "H2": "faults that nobody is told of",
    "H4": "metrics that grow with what strangers send",
}
"""Rows that are proven besides."""

GAMES, PAGES = "belongs to games that do not exist yet", "belongs to game pages that do not exist yet"
PITFALLS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "1": ("a debit or credit counted twice", ("B2", "B8"), ""),
    "2": ("a bet whose answer is lost", ("B1", "A2"), ""),
    "3": ("rounding", ("G3",), ""),
    "3b": ("ids as numbers and as strings", ("G3",), ""),
    "4": ("another currency", ("B8", "G3"), ""),
    "5": ("a negative balance from the wallet", ("B11",), ""),
    "6": ("a double tap", ("G1", "B2"), ""),
    "7": ("one session in two tabs", ("E7", "G1"), ""),
    "8": ("a balance that is out of date", ("B11",), "what a page shows " + PAGES),
    "9": ("a captured request", ("E1", "E6"), ""),
    "10": ("tokens in addresses and logs", ("H1",), ""),
    "11": ("clocks that differ", ("C1",), ""),
    "12": ("a body that is written anew before it is hashed", ("E2",), ""),
    "13": ("a payout without its bet", ("B5",), ""),
    "14": ("a session that ends in the middle of a round", ("C3", "B6"), ""),
    "15": ("a bet that is still on its way when its round begins", (), GAMES),
    "15b": ("a bet that is cancelled while it is on its way", (), GAMES),
    "16": ("a multiplier that the client computed", (), GAMES),
    "17": ("a return to player that is fixed in the code", (), GAMES),
    "18": ("wins without a cap", (), "the wallet's cap; a game's own cap " + GAMES),
    "19": ("stakes without a limit", (), "the wallet's range; what a page allows " + PAGES),
    "20": ("calls without a limit", ("G2",), ""),
    "21": ("a shared launch address", ("E7",), ""),
    "22": ("a self-exclusion that an open session outlives", ("B6",), ""),
    "23": ("no trail of what happened", ("G8", "H3"), ""),
    "24": ("no reconciliation", ("G7",), ""),
    "25": ("an outage that nobody is told of", (), ""),
    "26": ("a balance that is hidden while it loads", (), PAGES),
    "27": ("currencies that are shown in several ways", (), PAGES),
    "28": ("network errors that nobody shows", (), PAGES),
    "29": ("players from where play is not allowed", (), "belongs to limits by country that do not exist yet"),
    "30": ("limits that protect a player", (), ""),
    "31": ("a launch address that opens another game", (), PAGES),
    "32": ("a launch address that is put together wrongly", (), "a game's own address " + PAGES),
    "33": ("a balance of zero before the first round", (), PAGES),
    "34": ("a screen that vanishes before it is seen", (), PAGES),
}
"""By number: what goes wrong in our words, the rows that cover it, and what of it is not here yet."""


def blocks() -> dict[str, dict[str, str]]:
    """What is rendered, by page and by the name in the page's markers."""
    found = marks()
    return {
        "delivery-orders.md": {"delivery orders": render_delivery_orders.render()},
        "proofs.md": {"rows": _rows(found), "pitfalls": _pitfalls(found)},
    }


def _rows(found: dict[str, set[Proof]]) -> str:
    lines = ["| row | what goes wrong | which test proves that it does no harm |", "|---|---|---|"]
    besides = {row: title for row, title in BESIDES.items() if row in found}
    if unknown := {mark for mark in found if mark[0].isalpha()} - ROWS.keys() - besides.keys():
        raise SystemExit(f"tests name rows without a title in {__file__}: {unknown}")
    for row, title in sorted({**ROWS, **besides}.items(), key=lambda item: (item[0][0], int(item[0][1:]))):
        if not found.get(row):
            raise SystemExit(f"no test names row {row}: {title}")
        lines.append(f"| {row} | {title} | {_proofs(found[row])} |")
    return "\n".join([*lines, ""])


def _pitfalls(found: dict[str, set[Proof]]) -> str:
    if unknown := {mark for mark in found if not mark[0].isalpha()} - PITFALLS.keys():
        raise SystemExit(f"tests name pitfalls that do not exist: {unknown}")
    lines = ["| pitfall | what goes wrong | proof |", "|---|---|---|"]
    for number, (title, rows, later) in PITFALLS.items():
        own = found.get(number)
        parts = [f"row{'s' * (len(rows) > 1)} {', '.join(rows)}"] if rows else []
        parts += [_proofs(own)] if own else []
        parts += [later] if later else []
        if not parts:
            raise SystemExit(f"no test names pitfall {number}: {title}")
        lines.append(f"| {number} | {title} | {'; '.join(parts)} |")
    return "\n".join([*lines, ""])


def _proofs(proofs: Iterable[Proof]) -> str:
    by_path: dict[str, list[str]] = defaultdict(list)
    for proof in sorted(proofs):
        by_path[proof.path].append(proof.test)
    cells = []
    for path, tests in by_path.items():
        named = [f"`{test}`" for test in tests if test]
        whole = "" in tests
        cells.append(f"[{path}](../{path})" + (", above all " if whole and named else ": " if named else ""))
        cells[-1] += ", ".join(named)
    return "<br>".join(cells)


def rendered(page: str, parts: dict[str, str]) -> str:
    """The page with its parts as they are now."""
    text = (DOCS / page).read_text("utf-8")
    for name, part in parts.items():
        begin, end = f"<!-- {name}: rendered by make docs -->\n", f"<!-- end of {name} -->\n"
        before, rest = text.split(begin)
        text = f"{before}{begin}{part}{end}{rest.split(end)[1]}"
    return text


if __name__ == "__main__":
    texts = {DOCS / page: rendered(page, parts) for page, parts in blocks().items()}
    stale = [path for path, text in texts.items() if path.read_text("utf-8") != text]
    if "--check" in sys.argv:
        sys.exit("\n".join(f"{path.name} is not up to date: run make docs" for path in stale) or 0)
    for path in stale:
        path.write_text(texts[path], "utf-8")
