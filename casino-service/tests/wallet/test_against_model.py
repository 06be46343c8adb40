"""Random commands of a few players, at the real wallet and at a plain-Python model: answers and books must agree.

The same sample every time; NIGHTLY=1 draws a new and larger one.
"""

from __future__ import annotations

import os
from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from casino_testing.random_commands import RandomCommands
from casino_testing.service import settings_of
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet

NIGHTLY = os.environ.get("NIGHTLY") == "1"
EXAMPLES = 400 if NIGHTLY else 85
STEPS = 45
TO_BE_REACHED = {
    *("ok", "tombstone", "replayed ok", "session_not_found", "session_player_mismatch", "idempotency_mismatch"),
    *("transaction_rolled_back", "session_expired", "currency_mismatch", "round_mismatch", "no_matching_bet"),
    *(
        "provider_draining",
        "stake_too_low",
        "deposit ok",
        "withdrawal ok",
        "adjustment_in ok",
        "adjustment_out ok",
        "transfer ok",
    ),
    *("transfer insufficient_balance", "transfer idempotency_mismatch"),
    *("limit_exceeded", "session_time_limit"),
    *("bonus granted", "bonus forfeited", "bonus acknowledged", "bonus_ack_required", "play_stopped"),
}


def test_random_commands_are_answered_and_booked_as_the_model_says(shared_database: str) -> None:
    tenant = Tenant.fresh(shared_database)
    wallet = Wallet(tenant, settings_of(tenant))
    reached: Counter[str] = Counter()
    try:
        run_state_machine_as_test(
            lambda: RandomCommands(shared_database, wallet, reached),
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                derandomize=not NIGHTLY,
                deadline=None,
                print_blob=True,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
            ),
        )
    finally:
        wallet.close()
        tenant.close()
    print(reached.most_common())
    assert reached.keys() >= TO_BE_REACHED, "without these the run proves nothing"
