"""Thousands of players with money and a live game session, loaded straight into the casino's database.

Launching ten thousand games over HTTP would take longer than the benchmark. Wallets are opened and ledgers are filled
by the casino's own functions, so the books are sound. Only the sessions are plain rows.
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import psycopg

from bench.presigned import Player

TENANT_ID: Final = "JAQPOT"
GAME_ID: Final = "1"
GAME_CODE: Final = "SLOTS_001"
PLAYER_PREFIX: Final = "bench-"
OPENING_MINOR: Final = 1_000_000_000_000
SESSION_HOURS: Final = 3
COMMANDS_PER_CALL_MAX: Final = 4_000
"""The feed has room for 4,096 commands of one database transaction."""

TOKEN_SQL: Final = f"encode(sha256(convert_to('session of {PLAYER_PREFIX}' || {{n}}, 'UTF8')), 'hex')"
TOKEN_HASH_SQL: Final = f"sha256(convert_to({TOKEN_SQL}, 'UTF8'))"

_OPEN_PLAYERS: Final = f"""
    select count(casino.open_player('{TENANT_ID}', '{PLAYER_PREFIX}' || n, 'bench', 'USD', {OPENING_MINOR}))
    from generate_series(1, %(count)s::integer) as n
"""
_LOAD_SESSIONS: Final = f"""
    insert into casino.game_sessions (
        ledger_id, session_id, tenant_id, wallet_id, player_id, game_id, game_code, currency, token_hash,
        stake_min_minor, stake_max_minor, opened_at, expires_at
    )
    select ledger_id, gen_random_uuid(), tenant_id, wallet_id, player_id, '{GAME_ID}', '{GAME_CODE}', currency,
        {TOKEN_HASH_SQL.format(n=f"substr(player_id, {len(PLAYER_PREFIX) + 1})")},
        1000, 100000, clock_timestamp(), clock_timestamp() + interval '{SESSION_HOURS} hours'
    from casino.wallets where starts_with(player_id, '{PLAYER_PREFIX}')
"""
_GROW: Final = f"""
    select count(*) filter (where o_outcome = 'committed') from casino.execute_wallet_commands(
        (select min(ledger_id) from casino.ledgers where tenant_id = '{TENANT_ID}'),
        (select jsonb_agg(jsonb_build_object(
            'kind', 'debit', 'tokenHash', encode({TOKEN_HASH_SQL.format(n="n")}, 'hex'),
            'playerId', '{PLAYER_PREFIX}' || n, 'transactionId', 'g-' || %(call)s::text || '-' || n,
            'roundId', 'g-' || %(call)s::text || '-' || n, 'amount', 1000, 'requestId', 'bench', 'signedBy', 'bench'
        )) from generate_series(%(first)s::integer, %(last)s::integer) as n)
    )
"""


def player(number: int) -> Player:
    token = hashlib.sha256(f"session of {PLAYER_PREFIX}{number}".encode()).hexdigest()
    return Player(user_id=f"{PLAYER_PREFIX}{number}", session_token=token)


def load_players(url: str, *, count: int) -> list[Player]:
    with psycopg.connect(url) as connection:
        for statement in (_OPEN_PLAYERS, _LOAD_SESSIONS):
            connection.execute(statement.encode(), {"count": count})
    vacuum(url)
    return [player(number) for number in range(1, count + 1)]


def grow_ledger(url: str, *, player_count: int, transaction_count: int) -> None:
    """Book debits with the wallet's own function, in large batches, until the ledger holds that many transactions."""
    missing = transaction_count - count_transactions(url)
    middle = player_count // 2
    halves = [(1, middle, missing // 2), (middle + 1, player_count, missing - missing // 2)]
    with ThreadPoolExecutor(max_workers=len(halves)) as threads:
        for grown in [threads.submit(_grow_half, url, *half) for half in halves]:
            grown.result()
    vacuum(url)


def _grow_half(url: str, first_player: int, last_player: int, missing: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        # Foreign keys are not checked: the function writes both ends, and the books are compared afterwards.
        connection.execute("set session_replication_role = replica")
        first, call = first_player, 0
        while missing > 0:
            last = min(first + min(COMMANDS_PER_CALL_MAX, missing) - 1, last_player)
            found = connection.execute(_GROW.encode(), {"call": call, "first": first, "last": last}).fetchone()
            if found != (last - first + 1,):
                raise RuntimeError(f"the wallet booked {found} of {last - first + 1} debits")
            missing -= last - first + 1
            call += 1
            first = last + 1 if last < last_player else first_player


def count_transactions(url: str) -> int:
    with psycopg.connect(url) as connection:
        (count,) = connection.execute("select count(*) from casino.transactions").fetchone() or (0,)
        return int(count)


def vacuum(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum analyze")
