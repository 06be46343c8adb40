"""Payouts that end a round, with the risk engine and without it, in turns: what scoring costs a wallet call.

With: each payout scores a play session of thirty spins and more, all of which count for one signal, so that the losses
of the last minutes are read, too. Without: `casino.watch_play` does nothing.
"""

import secrets
import statistics
from collections.abc import Sequence
from typing import Final

import psycopg
import uvloop

from bench.generator import LoadResult, apply_load
from bench.limit_rows import BEGIN_PLAY_SESSIONS
from bench.loads import require_ok
from bench.measurements import Measurement, Outcome, Progress, Sample, Size, Target, interleave
from bench.players import PLAYER_PREFIX, TENANT_ID, TOKEN_HASH_SQL, vacuum
from bench.presigned import Player, sign_all
from bench.services import BenchServices, Books
from bench.soundness import require_sound_ledger
from e2e_testing.stack import DEMO_CASINO_SECRET

PLAYERS: Final = 200
SPINS_BEFORE: Final = 30
STAKE_MINOR: Final = 1_000
SCORING_MS_MAX: Final = 1.0
PAYOUTS_PER_SECOND_MAX: Final = 1_000
BETS_IN_FLIGHT: Final = 32
BETS_SECONDS_MAX: Final = 30.0
JOIN_PLAY_SESSIONS: Final = f"""
    update casino.game_sessions as game set play_session_id = play.play_session_id
    from casino.play_sessions as play
    where play.ledger_id = game.ledger_id and play.wallet_id = game.wallet_id
        and starts_with(game.player_id, '{PLAYER_PREFIX}')
"""
PLAY: Final = f"""
    select count(*) filter (where o_outcome = 'committed') from casino.execute_wallet_commands(
        (select min(ledger_id) from casino.ledgers where tenant_id = '{TENANT_ID}'),
        (select jsonb_agg(jsonb_build_object(
            'kind', %(kind)s::text, 'tokenHash', encode({TOKEN_HASH_SQL.format(n="n")}, 'hex'),
            'playerId', '{PLAYER_PREFIX}' || n, 'transactionId', %(kind)s::text || %(spin)s::text || '-' || n,
            'roundId', 's-' || %(spin)s::text || '-' || n, 'amount', {STAKE_MINOR}, 'requestId', 'bench',
            'signedBy', 'bench'
        )) from generate_series(1, {PLAYERS}) as n)
    )
"""
WATCH_NOTHING: Final = """
    create or replace function casino.watch_play(
        p_ledger_id integer, p_judged casino.judgement [], p_now timestamptz
    )
    returns void language plpgsql volatile set search_path = pg_catalog, pg_temp as $$ begin end; $$
"""


def measure_safety(services: BenchServices, template: Books, *, size: Size, progress: Progress) -> Outcome:
    sides = {"unwatched": services.copy_books(template), "watched": services.copy_books(template)}
    for key, books in sides.items():
        with psycopg.connect(books.database.url) as connection:
            connection.execute(BEGIN_PLAY_SESSIONS.encode())
            connection.execute(JOIN_PLAY_SESSIONS.encode())
            connection.commit()
            for spin in range(SPINS_BEFORE):
                for kind in ("debit", "credit"):
                    found = connection.execute(PLAY.encode(), {"kind": kind, "spin": spin}).fetchone()
                    if found != (PLAYERS,):
                        raise RuntimeError(f"the wallet booked {found} of {PLAYERS} commands")
                    connection.commit()
            if key == "unwatched":
                connection.execute(WATCH_NOTHING)
        vacuum(books.database.url)
    ports = {key: services.start_casino(books).port for key, books in sides.items()}
    what = {
        "unwatched": "median of payouts that end a round, one in flight, without the risk engine",
        "watched": "the same with it",
    }
    figures = interleave(
        [
            Measurement(
                key=key, what=what[key], unit="ms",
                measure=lambda port=port: payouts(port, sides["watched"].players[:PLAYERS], seconds=size.round_seconds),
            )
            for key, port in ports.items()
        ],
        rounds=size.rounds,
        progress=progress,
    )  # fmt: skip
    for books in sides.values():
        require_sound_ledger(books.database.url)
    pairs = zip(figures["watched"].values, figures["unwatched"].values, strict=True)
    target = Target(
        what="what scoring adds to the median of a payout",
        value=statistics.median(watched - unwatched for watched, unwatched in pairs),
        bound=SCORING_MS_MAX,
        at_least=False,
        unit="ms",
    )
    return Outcome(figures=tuple(figures.values()), targets=(target,))


def payouts(port: int, players: Sequence[Player], *, seconds: float) -> Sample:
    """Place bets, then pay their stakes back one after the other. The figure is the median of a payout."""
    prefix, count = secrets.token_hex(8), int(PAYOUTS_PER_SECOND_MAX * seconds)
    bets = [_body(players[number % len(players)], f"b-{prefix}", number) for number in range(count)]
    wins = [_body(players[number % len(players)], f"w-{prefix}", number) for number in range(count)]
    _send(port, "/casino/debit", bets, in_flight=BETS_IN_FLIGHT, seconds=BETS_SECONDS_MAX)
    result = _send(port, "/casino/credit", wins, in_flight=1, seconds=seconds)
    median = result.percentile_ms(50)
    return Sample(value=median, p50_ms=median, p99_ms=result.percentile_ms(99))


def _send(port: int, target: str, bodies: Sequence[bytes], *, in_flight: int, seconds: float) -> LoadResult:
    requests = sign_all(target, bodies, secret=DEMO_CASINO_SECRET, port=port)
    must_hold = b'"status":"ok"'
    return require_ok(
        uvloop.run(apply_load(requests, port=port, in_flight=in_flight, seconds=seconds, must_hold=must_hold)),
        must_hold,
    )


def _body(player: Player, prefix: str, number: int) -> bytes:
    return (
        f'{{"sessionToken":"{player.session_token}","userId":"{player.user_id}","transactionId":"{prefix}-{number}",'
        f'"roundId":"r{prefix[1:]}-{number}","amount":{STAKE_MINOR}}}'
    ).encode()
