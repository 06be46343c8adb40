"""Debits beside a webhook whose receiver takes connections and never answers, and debits without one, in turns.

With: thousands of events of the players wait for it, so that the process always tries as many as it may.
"""

from typing import Final

import psycopg

from bench.loads import WalletUnderLoad
from bench.measurements import Measurement, Outcome, Progress, Size, interleave, ratio_of
from bench.players import PLAYER_PREFIX, TENANT_ID
from bench.services import BenchServices, Books
from bench.soundness import require_sound_ledger
from bench.wallet_rows import USUAL_DEPTH
from e2e_testing.hung_listener import HungListener, hung_listener
from shared_service_testing.waiting import wait_until

BESIDE_OVER_ALONE_MIN: Final = 0.95
WAITING_MAX: Final = 5_000
LISTEN: Final = f"""
    insert into casino.webhooks (ledger_id, tenant_id, url, events, made_by, made_at)
    select ledger_id, tenant_id, %s, '{{player.closed,round.settled}}', 'bench', now()
    from casino.tenants where tenant_id = '{TENANT_ID}'
"""
TELL: Final = f"""
    select count(casino.tell(ledger_id, tenant_id, 'player.closed', player_id, null, '{{}}')::text)
    from (
        select * from casino.wallets where starts_with(player_id, '{PLAYER_PREFIX}') limit {WAITING_MAX}
    ) as told
"""


def measure_webhooks(services: BenchServices, template: Books, *, size: Size, progress: Progress) -> Outcome:
    sides = {"alone": services.copy_books(template), "beside": services.copy_books(template)}
    with hung_listener() as hung:
        _listen(sides["beside"], hung)
        wallets = {
            key: WalletUnderLoad(port=services.start_casino(books).port, books=books) for key, books in sides.items()
        }
        wait_until(lambda: hung.asked, "the casino calls the receiver that hangs")
        for wallet in wallets.values():
            wallet.debits(in_flight=USUAL_DEPTH, seconds=size.warm_up_seconds)
        what = {
            "alone": f"signed debits without a webhook, {USUAL_DEPTH} in flight",
            "beside": f"the same beside a webhook that hangs, {USUAL_DEPTH} in flight",
        }
        figures = interleave(
            [_debits(key, what[key], wallet, size) for key, wallet in wallets.items()],
            rounds=size.rounds,
            progress=progress,
        )
    for books in sides.values():
        require_sound_ledger(books.database.url)
    target = ratio_of(
        figures, over="beside", under="alone", what="debits beside a webhook that hangs over those without",
        bound=BESIDE_OVER_ALONE_MIN,
    )  # fmt: skip
    return Outcome(figures=tuple(figures.values()), targets=(target,))


def _listen(books: Books, hung: HungListener) -> None:
    with psycopg.connect(books.database.url) as connection:
        connection.execute(LISTEN.encode(), [f"{hung.url}/told"])
        connection.execute(TELL.encode())


def _debits(key: str, what: str, wallet: WalletUnderLoad, size: Size) -> Measurement:
    return Measurement(
        key=key, what=what, measure=lambda: wallet.debits(in_flight=USUAL_DEPTH, seconds=size.round_seconds)
    )
