"""Mixed rounds: what a seed draws, and that it is played with the same care as the nine steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from provider.rounds.mixed_script import ENDINGS, MixedScript, draw_script
from provider_testing.books import require_agreement, states
from provider_testing.fake_wallet import FakeWallet
from provider_testing.service import end_leases, pending, rows, serving, settled
from provider_testing.wallet_faults import after_work, cut
from shared_service_testing.waiting import until

SEEDS = range(400)


def ending_of(script: MixedScript) -> str:
    payouts = [act for act in script.steps if act.kind == "credit"]
    if script.cancelled:
        return "cancelled"
    if len(payouts) > 1:
        return "several_credits"
    return "won" if payouts[0].amount_minor else "lost"


def seed_with(wanted: Callable[[MixedScript], bool]) -> int:
    return next(seed for seed in SEEDS if wanted(draw_script(seed)))


def of_kind(script: MixedScript, kind: str) -> list[int]:
    return [act.bet for act in script.steps if act.kind == kind]


async def play(database_url: str, wallet: FakeWallet, **asked: Any) -> dict[str, Any]:
    async with serving(database_url, wallet) as provider:
        return await provider.simulate(await provider.launch() | asked)


def test_a_seed_always_draws_the_same_script_and_others_draw_others() -> None:
    assert [draw_script(seed) for seed in SEEDS] == [draw_script(seed) for seed in SEEDS]
    assert len({draw_script(seed) for seed in SEEDS}) > 200


def test_every_ending_and_every_number_of_bets_is_drawn() -> None:
    scripts = [draw_script(seed) for seed in SEEDS]
    assert set(Counter(ending_of(script) for script in scripts)) == set(ENDINGS)
    assert {len(of_kind(script, "bet")) for script in scripts} == {1, 2, 3}
    assert any(of_kind(script, "rollback") and not script.cancelled for script in scripts)


def test_no_script_pays_a_bet_that_went_back_or_goes_on_after_its_end() -> None:
    for script in map(draw_script, SEEDS):
        assert not set(of_kind(script, "credit")) & set(of_kind(script, "rollback"))
        assert (script.steps[0].kind, script.steps[-1].kind) == ("balance", "balance")
        ends = [number for number, act in enumerate(script.steps) if act.ends_round]
        assert ends == ([] if script.cancelled else [len(script.steps) - 2])
        assert script.cancelled == (set(of_kind(script, "bet")) == set(of_kind(script, "rollback")))


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_round_of_each_ending_passes_and_both_books_agree(
    database_url: str, owner_url: str, wallet: FakeWallet, ending: str
) -> None:
    seed = seed_with(lambda script: ending_of(script) == ending)
    report = await play(database_url, wallet, script="mixed", seed=seed)
    assert report["passed"] is True, report
    assert [step["action"] for step in report["steps"]] == [row.action for row in draw_script(seed).rows()]
    assert [step["status"] for step in report["steps"]] == [200] * len(report["steps"])
    require_agreement(owner_url, wallet.model)
    rounds = rows(owner_url, "select kind, state, ended_code from provider.rounds")
    ended = ("voided", "cancelled") if ending == "cancelled" else ("settled", "paid")
    assert rounds == [{"kind": "mixed", "state": ended[0], "ended_code": ended[1]}]
    assert report["netProfit"] == str(draw_script(seed).rows()[-1].gain_minor)


@pytest.mark.parametrize("kind", ["debit", "rollback", "credit"])
@pytest.mark.parametrize("fault", [cut, after_work(cut)], ids=["request lost", "answer lost"])
async def test_a_mixed_round_never_plays_on_where_money_is_in_doubt(
    database_url: str, owner_url: str, wallet: FakeWallet, kind: str, fault: Any
) -> None:
    seed = seed_with(lambda script: len(of_kind(script, "credit")) > 1 and bool(of_kind(script, "rollback")))
    wallet.plan(kind, fault)

    async with serving(database_url, wallet) as provider:
        report = await provider.simulate(await provider.launch() | {"script": "mixed", "seed": seed})
        wallet.forget_plans()
        await until(lambda: not pending(owner_url))
        end_leases(owner_url)  # the round of an unanswered payout stays open for a whole lease
        await settled(owner_url)
    assert report["passed"] is False
    failed = next(number for number, step in enumerate(report["steps"]) if not step["passed"])
    assert {step["request"] for step in report["steps"][failed + 1 :]} <= {None}, "nothing was sent after the doubt"
    require_agreement(owner_url, wallet.model)


async def test_without_a_script_or_with_its_name_the_nine_steps_are_played(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    for asked in ({}, {"script": "nine_steps"}, {"script": None, "seed": None}):
        assert len((await play(database_url, wallet, **asked))["steps"]) == 9
    assert len(states(owner_url)) == 18


async def test_a_mixed_round_without_a_seed_is_played_too(database_url: str, wallet: FakeWallet) -> None:
    assert (await play(database_url, wallet, script="mixed"))["passed"] is True


async def test_a_script_or_a_seed_that_is_none_is_refused(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"script": "tenth"}, "script"),
        ({"script": 9}, "script"),
        ({"script": ["mixed"]}, "script"),
        ({"script": "mixed", "seed": "1"}, "seed"),
        ({"script": "mixed", "seed": -1}, "seed"),
        ({"script": "mixed", "seed": 2**63}, "seed"),
        ({"script": "mixed", "seed": True}, "seed"),
        ({"script": "mixed", "seed": 1.5}, "seed"),
    ]
    async with serving(database_url, wallet) as provider:
        session = await provider.launch()
        for asked, field in cases:
            answer = await provider.client.post("/provider/simulate", json=session | asked)
            refusal = answer.json()
            assert (answer.status_code, refusal["code"], refusal["field"]) == (400, "invalid_field", field), asked
    assert rows(owner_url, "select * from provider.rounds") == []
