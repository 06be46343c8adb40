"""`make rtp`: the sheets in the repository are the ones that it writes."""

from __future__ import annotations

import msgspec
import pytest
from click.testing import CliRunner

from provider.catalogue import make_sheets
from provider.catalogue.files import SLOTS, data_file
from provider.games.slots.model import Pay, SlotModel
from provider.games.slots.rtp import Payback, payback_of


def test_it_writes_what_is_there_already_and_says_the_return() -> None:
    before = [data_file(f"{code}.par.json") for code in SLOTS]
    ended = CliRunner().invoke(make_sheets.main, ["--simulate", "2000"])
    assert ended.exit_code == 0, ended.output
    assert "SLOTS_001: RTP 0.953794, volatility medium, sheet unchanged" in ended.output
    assert "SLOTS_002: RTP 0.955844, volatility high, sheet unchanged" in ended.output
    assert "within the 99 % interval" in ended.output
    assert [data_file(f"{code}.par.json") for code in SLOTS] == before


def test_a_simulation_that_disagrees_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def dearer(model: SlotModel) -> Payback:
        pays = tuple(Pay(each.symbol, each.count, each.x100 * 2) for each in model.pays)
        return payback_of(msgspec.structs.replace(model, pays=pays))

    monkeypatch.setattr(make_sheets, "payback_of", dearer)
    ended = CliRunner().invoke(make_sheets.main, ["--simulate", "2000"])
    assert ended.exit_code == 1
    assert "outside the 99 % interval" in ended.output
