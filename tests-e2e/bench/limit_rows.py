"""Debits of players who have every limit, beside debits of players who have none, in turns.

With: limits of losses and time by day, week and month, and one of the play session, none of which is reached.
Without: no limit. Both play in a play session.
"""

from typing import Final

import psycopg

from bench.loads import WalletUnderLoad
from bench.measurements import Measurement, Outcome, Progress, Size, interleave, ratio_of
from bench.players import OPENING_MINOR, PLAYER_PREFIX, vacuum
from bench.services import BenchServices, Books
from bench.soundness import require_sound_ledger
from bench.wallet_rows import USUAL_DEPTH

LIMITED_OVER_FREE_MIN: Final = 0.9
BEGIN_PLAY_SESSIONS: Final = f"""
    select count(casino.begin_play_session(ledger_id, player_id))
    from casino.players where starts_with(player_id, '{PLAYER_PREFIX}')
"""
SET_EVERY_LIMIT: Final = (
    f"update casino.play_sessions set loss_limit_minor = {OPENING_MINOR}",
    f"""
    select count(casino.begin_counting(ledger_id, players)::text)
    from casino.players where starts_with(player_id, '{PLAYER_PREFIX}')
    """,
    f"""
    update casino.limit_counters set
        day_loss_max_minor = {OPENING_MINOR}, week_loss_max_minor = {OPENING_MINOR},
        month_loss_max_minor = {OPENING_MINOR},
        day_time_max = interval '31 days', week_time_max = interval '31 days', month_time_max = interval '31 days'
    """,
)


def measure_limits(services: BenchServices, template: Books, *, size: Size, progress: Progress) -> Outcome:
    sides = {"free": services.copy_books(template), "limited": services.copy_books(template)}
    for key, books in sides.items():
        with psycopg.connect(books.database.url) as connection:
            for statement in (BEGIN_PLAY_SESSIONS, *(SET_EVERY_LIMIT if key == "limited" else ())):
                connection.execute(statement.encode())
        vacuum(books.database.url)
    wallets = {
        key: WalletUnderLoad(port=services.start_casino(books).port, books=books) for key, books in sides.items()
    }
    for wallet in wallets.values():
        wallet.debits(in_flight=USUAL_DEPTH, seconds=size.warm_up_seconds)
    what = {
        "free": f"signed debits of players without limits, {USUAL_DEPTH} in flight",
        "limited": f"the same with all limits set, {USUAL_DEPTH} in flight",
    }
    figures = interleave(
        [_debits(key, what[key], wallet, size) for key, wallet in wallets.items()],
        rounds=size.rounds,
        progress=progress,
    )
    for books in sides.values():
        require_sound_ledger(books.database.url)
    target = ratio_of(
        figures, over="limited", under="free", what="debits with all limits set over those without",
        bound=LIMITED_OVER_FREE_MIN,
    )  # fmt: skip
    return Outcome(figures=tuple(figures.values()), targets=(target,))


def _debits(key: str, what: str, wallet: WalletUnderLoad, size: Size) -> Measurement:
    return Measurement(
        key=key, what=what, measure=lambda: wallet.debits(in_flight=USUAL_DEPTH, seconds=size.round_seconds)
    )
