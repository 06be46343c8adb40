"""The end of a campaign: faults end, rounds and recovery finish, then the books are checked."""

import asyncio
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import httpx
import psycopg

from chaos import history
from chaos.chaos_stack import ChaosStack
from chaos.findings import agreement_findings, balance_findings, history_findings, ledger_findings
from chaos.pairs import Pair
from chaos.record import BETS, late_debits_refused, ledger_of, reached, signed_answers, states_of
from chaos.relation_books import books_of
from chaos.round_players import Players, send_signed
from chaos.secrets_in_sight import SIGNATURES_SOUGHT_MAX, TOKENS_SOUGHT_MAX, leaks
from chaos.verdict import Verdict
from e2e_testing.both_books import OPEN_ROUNDS, PENDING
from e2e_testing.database import Database
from e2e_testing.fault import Call, key_id_of
from e2e_testing.service_process import run_command
from e2e_testing.signing_client import Signer
from e2e_testing.two_pairs import NUMBERS, RELATIONS, Relation, casino_code_of, key_id
from shared_service_testing.waiting import wait_until

RECOVERY_SECONDS_MAX = 60.0
QUIET_SECONDS = 1.0
POLL_SECONDS = 0.1
SENT_AGAIN_MAX = 150
SENT_AGAIN_AT_ONCE = 8
SENT_AGAIN_SECONDS_MAX = 20.0
RETRIES_MAX = 10
OUTPUT_LINES_SHOWN_MAX = 20

Value = TypeVar("Value")


def recover(stack: ChaosStack, *, since: float) -> float | None:
    """Wait until nothing is pending, nothing is on its way and everybody is ready; the seconds, or None: too late."""
    quiet_since: float | None = None
    while time.monotonic() - since < RECOVERY_SECONDS_MAX + QUIET_SECONDS:
        if unresolved_work(stack):
            quiet_since = None
        elif quiet_since is None:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since >= QUIET_SECONDS:
            return quiet_since - since
        time.sleep(POLL_SECONDS)
    return None


def unresolved_work(stack: ChaosStack) -> list[str]:
    """What is not finished yet, in words."""
    told = [f"{service.package} is not ready" for service in stack.services if not service.is_ready()]
    for pair in stack.pairs:
        if pair.proxy.under_way:
            told.append(f"{pair.proxy.under_way} calls are on their way to casino {pair.number}")
        try:
            rows = pair.database.rows(PENDING) + pair.database.rows(OPEN_ROUNDS)
        except psycopg.OperationalError as error:
            told.append(f"database {pair.number} does not answer: {type(error).__name__}")
            continue
        told += [f"still open at studio {pair.number}: {row}" for row in rows]
    return told


def examine(stack: ChaosStack, players: Players, verdict: Verdict) -> None:
    """Every invariant that a campaign can see."""
    said = [
        one
        for pair in stack.pairs
        for one in signed_answers(list(pair.proxy.deliveries), stack.secrets.at_casino(pair.number))
    ]
    verdict.hold("I3 nothing is left open", unresolved_work(stack))
    for pair in stack.pairs:
        _examine_casino(stack, pair.number, verdict)
    for relation in RELATIONS:
        _examine_relation(stack, relation, verdict)
    ledger, ours = _merged(stack, ledger_of), _merged(stack, states_of)
    verdict.findings |= history_findings(ledger, ours, said, players.reports)
    verdict.hold("I5 old requests, sent again, answer the same", sent_again(stack, said, verdict))
    secrets = _secrets(stack, players)
    verdict.hold("I11 secrets in sight", leaks(stack.logs(), stack.databases.values(), secrets))
    verdict.reached["late_debits_refused"] = late_debits_refused(said)
    verdict.reached["replays"] = sum(one.replay for one in said)
    verdict.reached["signed_answers"] = len(said)
    verdict.reached["requests_at_the_wallet"] = len(stack.deliveries)


def _examine_casino(stack: ChaosStack, casino: int, verdict: Verdict) -> None:
    """What holds for a casino and all of its studios together."""
    with books_of(stack.postgres.url(), stack.databases, casino) as books:
        found = ledger_findings(stack.pair(casino).database) | balance_findings(books)
        verdict.reached.update(reached(books))
    for name, findings in found.items():
        verdict.hold(f"{name} (casino {casino})", findings)
    verdict.hold(
        f"casino {casino}: check-ledger finds every chain whole, up to each studio's heads",
        chain_findings(stack, casino),
    )


def _examine_relation(stack: ChaosStack, relation: Relation, verdict: Verdict) -> None:
    """What holds between one casino and one studio, whatever others do."""
    casino, studio = relation
    with books_of(stack.postgres.url(), stack.databases, casino, studios=[studio]) as books:
        found = agreement_findings(books)
        verdict.reached[f"bets_of_studio_{studio}_at_casino_{casino}"] = books.row(BETS)["bets"]
    for name, findings in found.items():
        verdict.hold(f"{name} (casino {casino}, studio {studio})", findings)
    command = f"reconcile --no-heal --casino {casino_code_of(relation)}"
    name = f"studio {studio}: provider reconcile finds nothing to heal at casino {casino}"
    verdict.hold(name, command_findings(_run(stack, studio, "provider", command)))


def _merged(stack: ChaosStack, read: Callable[[Database], dict[history.Key, Value]]) -> dict[history.Key, Value]:
    """Of both databases: players and ids of one are never those of the other."""
    return {key: value for database in stack.databases.values() for key, value in read(database).items()}


def command_findings(ended: subprocess.CompletedProcess[str]) -> list[str]:
    """What the service's own command says about its books; it must end with status 0."""
    said = [*ended.stdout.splitlines(), *ended.stderr.splitlines()][-OUTPUT_LINES_SHOWN_MAX:]
    return [] if ended.returncode == 0 else [f"ended with {ended.returncode}", *said]


def chain_findings(stack: ChaosStack, casino: int) -> list[str]:
    """The studios' heads are what finds a tail that was cut off at the casino."""
    found = []
    for studio in NUMBERS:
        code = casino_code_of((casino, studio))
        heads = _run(stack, studio, "provider", f"heads --casino {code}")
        path = stack.folder / f"heads-{casino}-{studio}.jsonl"
        path.write_text(heads.stdout)
        if heads.returncode or not heads.stdout:
            found.append(f"provider heads ended with {heads.returncode} and wrote {len(heads.stdout)} characters")
        else:
            command = f"check-ledger --heads {path} --casino-code {code}"
            found += command_findings(_run(stack, casino, "casino", command))
    return found


def _run(stack: ChaosStack, pair: int, package: str, command: str) -> subprocess.CompletedProcess[str]:
    processes = stack.pair(pair).casinos if package == "casino" else stack.pair(pair).providers
    return run_command(package, command, processes[0].environment)


def sent_again(stack: ChaosStack, said: list[history.Said], verdict: Verdict) -> list[str]:
    """Old requests under fresh signatures, to processes that have been started since: byte for byte the old answers."""
    for service in stack.casinos:
        stack.kill(service, down_seconds=0.0)
    for service in stack.casinos:
        _wait_until_ready(stack, service.port)
    kept = {one.key: one for one in said if one.is_recorded}
    asked = {
        (str(one.call.request.content.get("userId")), one.call.transaction_id): (relation_of(pair, one.call), one.call)
        for pair in stack.pairs
        for one in pair.proxy.deliveries
        if one.call.transaction_id
    }
    rng = random.Random(len(kept))
    sample = rng.sample(sorted(kept), min(len(kept), SENT_AGAIN_MAX))
    verdict.reached["old_requests_sent_again"] = len(sample)

    async def ask_all() -> list[str]:
        gate = asyncio.Semaphore(SENT_AGAIN_AT_ONCE)
        async with httpx.AsyncClient(timeout=SENT_AGAIN_SECONDS_MAX, trust_env=False, verify=False) as http:

            async def ask(number: int, key: history.Key) -> str | None:
                relation, call = asked[key]
                async with gate:
                    signer = stack.signer_of_studio(relation, number)
                    answer = await _ask(http, signer, call.request.target, call.request.body)
                same = (answer.status_code, answer.content) == (kept[key].status, kept[key].body)
                if same and answer.headers.get("idempotent-replay") == "true":
                    return None
                return f"{kept[key]} now answers {answer.status_code} {answer.content!r}"

            answers = await asyncio.gather(*(ask(number, key) for number, key in enumerate(sample)))
        return [finding for finding in answers if finding]

    return asyncio.run(ask_all())


def relation_of(pair: Pair, call: Call) -> Relation:
    """The casino that was called, and the studio whose key signed the call."""
    used = key_id_of(call.request)
    return next(relation for relation in RELATIONS if relation[0] == pair.number and key_id(relation) == used)


async def _ask(http: httpx.AsyncClient, signer: Signer, target: str, body: bytes) -> httpx.Response:
    """Ask as a provider does: a busy wallet is asked again."""
    answer = await send_signed(http, signer, target, body)
    for _ in range(RETRIES_MAX):
        if answer.status_code not in (409, 503):
            break
        await asyncio.sleep(POLL_SECONDS)
        answer = await send_signed(http, signer, target, body)
    return answer


def _wait_until_ready(stack: ChaosStack, port: int) -> None:
    service = next(service for service in stack.casinos if service.port == port)
    wait_until(service.is_ready, f"{service.package} did not come back")


def _secrets(stack: ChaosStack, players: Players) -> dict[str, list[str]]:
    return {
        "signing secrets": stack.secrets.all(),
        "session tokens": players.tokens[-TOKENS_SOUGHT_MAX:],
        "signatures": list(_signatures(stack))[-SIGNATURES_SOUGHT_MAX:],
        "database passwords": [stack.postgres.passwords.of("postgres")],
    }


def _signatures(stack: ChaosStack) -> Iterator[str]:
    for delivery in stack.deliveries:
        value = delivery.call.request.field("x-casino-signature") or ""
        if "v1=" in value:
            yield value.rpartition("v1=")[2]
