"""The truth table of delivery orders, as docs/render_reliability.py puts it into docs/delivery-orders.md.

What is rendered is the model's word. casino-service/tests/wallet/test_delivery_orders.py holds the real wallet to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations

from casino_testing.delivery_orders import FAMILIES, KIND_OF, Line, Order, line_of

TITLES = {"D": "debit", "R": "rollback", "C": "credit", "S": "second rollback"}


def render() -> str:
    """What stands between the markers."""
    return "\n".join(
        [
            *_table(permutations("DRC")),
            "",
            "With a second rollback (S) of the same bet under another id:",
            "",
            *_table(permutations("DRCS")),
            "",
            *_counts(),
            "",
            "<details><summary>Every order with each message once or twice</summary>",
            "",
            *_table(FAMILIES["once_or_twice"].orders),
            "",
            "</details>",
            "",
        ]
    )


def _table(orders: Iterable[Order]) -> list[str]:
    lines = [_line(order) for order in orders]
    letters = [letter for letter in KIND_OF if letter in lines[0].order]
    return [
        f"| order | answers | balance | {' | '.join(TITLES[letter] for letter in letters)} |",
        f"|---|---|---|{'---|' * len(letters)}",
        *(_row(line) for line in lines),
    ]


def _row(line: Line) -> str:
    answers = " · ".join(f"{answer}" for answer in line.answers)
    return f"| {' '.join(line.order)} | {answers} | {line.moved_minor:+d} | {' | '.join(line.states)} |"


def _line(order: Order) -> Line:
    line = line_of(order, names_bet=True)
    if line != line_of(order, names_bet=False):
        raise ValueError(f"{order}: a credit that names its bet is not answered as one that names the round")
    return line


def _counts() -> list[str]:
    rows = ["| enumerated | orders | deliveries |", "|---|---|---|"]
    forms = 2  # the credit names its bet, or only the round
    for family in FAMILIES.values():
        deliveries = forms * sum(map(len, family.orders))
        rows.append(f"| {family.title} | {forms * len(family.orders)} | {deliveries} |")
    return rows
