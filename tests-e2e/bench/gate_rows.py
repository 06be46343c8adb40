"""Debits with everything that the operator's platform puts in their way, beside debits without it, in turns.

With: each player has a pending bonus, an agent and a cashier; the tenant has a region, and stops of other games and
players, which each debit has to look at. Without: none of it. Both write the same events.
"""

from typing import Final

import psycopg

from bench.loads import WalletUnderLoad
from bench.measurements import Measurement, Outcome, Progress, Size, interleave, ratio_of
from bench.players import PLAYER_PREFIX, TENANT_ID, vacuum
from bench.services import BenchServices, Books
from bench.soundness import require_sound_ledger
from bench.wallet_rows import USUAL_DEPTH

GATED_OVER_OPEN_MIN: Final = 0.85
BONUS_MINOR: Final = 5_000
_CLOSE_TO_THE_PLAYERS: Final = (
    f"update casino.tenants set region = 'NV' where tenant_id = '{TENANT_ID}'",
    f"""
    insert into casino.bonuses (
        ledger_id, tenant_id, wallet_id, amount_minor, currency, voucher_id, agent_tenant_id, promised_at
    )
    select ledger_id, tenant_id, wallet_id, {BONUS_MINOR}, currency, player_id, tenant_id, now()
    from casino.wallets where starts_with(player_id, '{PLAYER_PREFIX}')
    """,
    f"""
    update casino.wallets set pending_bonus_minor = {BONUS_MINOR}, agent_id = tenant_id, cashier_id = 'bench',
        excluded_until = now() - interval '1 day', cooldown_until = now() - interval '1 day'
    where starts_with(player_id, '{PLAYER_PREFIX}')
    """,
    f"""
    insert into casino.stops (ledger_id, tenant_id, scope, target, reason, made_by, made_at)
    select ledger_id, '{TENANT_ID}', scope, 'another', 'bench', 'bench', now()
    from casino.ledgers cross join unnest(array['provider', 'game', 'player']) as scope where tenant_id = '{TENANT_ID}'
    """,
)


def measure_gates(services: BenchServices, template: Books, *, size: Size, progress: Progress) -> Outcome:
    sides = {"open": services.copy_books(template), "gated": services.copy_books(template)}
    with psycopg.connect(sides["gated"].database.url) as connection:
        for statement in _CLOSE_TO_THE_PLAYERS:
            connection.execute(statement.encode())
    vacuum(sides["gated"].database.url)
    wallets = {
        key: WalletUnderLoad(port=services.start_casino(books).port, books=books) for key, books in sides.items()
    }
    for wallet in wallets.values():
        wallet.debits(in_flight=USUAL_DEPTH, seconds=size.warm_up_seconds)
    what = {
        "open": f"signed debits without a bonus and stops, {USUAL_DEPTH} in flight",
        "gated": f"the same with a pending bonus, and stops of others, {USUAL_DEPTH} in flight",
    }
    figures = interleave(
        [_debits(key, what[key], wallet, size) for key, wallet in wallets.items()],
        rounds=size.rounds,
        progress=progress,
    )
    for books in sides.values():
        require_sound_ledger(books.database.url)
    target = ratio_of(
        figures, over="gated", under="open", what="debits with the platform's gates over those without",
        bound=GATED_OVER_OPEN_MIN,
    )  # fmt: skip
    return Outcome(figures=tuple(figures.values()), targets=(target,))


def _debits(key: str, what: str, wallet: WalletUnderLoad, size: Size) -> Measurement:
    return Measurement(
        key=key, what=what, measure=lambda: wallet.debits(in_flight=USUAL_DEPTH, seconds=size.round_seconds)
    )
