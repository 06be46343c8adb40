"""The runtime library knows nothing of games or money: its modules contain no word of them."""

import re
from pathlib import Path

import pytest

import shared_service

MODULES = sorted(Path(shared_service.__file__).parent.glob("**/*.py"))
DOMAIN_WORDS = re.compile(
    r"\b(casino|provider|studio|tenant|wallet|player|ledger|house|bet|wager|stake|payout|debit|credit|tombstone|balance"
    r"|money|minor|currency|currencies|deposit|voucher|bonus|jackpot|game|spin)s?\b"
    r"|\brounds?\b(?! trip|\()|\brollbacks?\b(?!\()",
    re.I,
)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_a_module_holds_no_word_of_games_or_money(module: Path) -> None:
    assert [found[0] for found in DOMAIN_WORDS.finditer(module.read_text("utf-8"))] == []
