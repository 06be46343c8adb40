"""The end of a campaign: faults end, rounds and recovery finish, then the books are checked."""

import asyncio
import random
import subprocess
import time
from collections.abc import Iterator

import httpx

from chaos import history
from chaos.chaos_stack import ChaosStack
from chaos.findings import book_findings, history_findings
from chaos.record import late_debits_refused, reached, signed_answers
from chaos.round_players import Players, send_signed
from chaos.secrets_in_sight import SIGNATURES_SOUGHT_MAX, TOKENS_SOUGHT_MAX, leaks
from chaos.verdict import Verdict
from e2e_testing.answers import Peer
from e2e_testing.both_books import OPEN_ROUNDS, PENDING
from e2e_testing.service_process import run_command
from shared_service_testing.waiting import wait_until

RECOVERY_SECONDS_MAX = 60.0
QUIET_SECONDS = 1.0
POLL_SECONDS = 0.1
SENT_AGAIN_MAX = 150
SENT_AGAIN_AT_ONCE = 8
SENT_AGAIN_SECONDS_MAX = 20.0
RETRIES_MAX = 10
OUTPUT_LINES_SHOWN_MAX = 20


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
    if stack.proxy.under_way:
        told.append(f"{stack.proxy.under_way} calls are on their way")
    rows = stack.database.rows(PENDING) + stack.database.rows(OPEN_ROUNDS)
    return told + [f"still open: {row}" for row in rows]


def examine(stack: ChaosStack, players: Players, verdict: Verdict) -> None:
    """Every invariant that a campaign can see."""
    database, deliveries = stack.database, list(stack.proxy.deliveries)
    said = signed_answers(deliveries, stack.casino_secret)
    verdict.hold("I3 nothing is left open", unresolved_work(stack))
    verdict.findings |= book_findings(database)
    verdict.hold("provider reconcile finds nothing to heal", command_findings(stack, "provider", "reconcile --no-heal"))
    verdict.hold("casino check-ledger finds every chain whole, up to the provider's heads", chain_findings(stack))
    verdict.findings |= history_findings(database, said, players.reports)
    verdict.hold("I5 old requests, sent again, answer the same", sent_again(stack, said, verdict))
    verdict.hold("I11 secrets in sight", leaks(stack.logs(), database, _secrets(stack, players)))
    verdict.reached.update(reached(database))
    verdict.reached["late_debits_refused"] = late_debits_refused(said)
    verdict.reached["replays"] = sum(one.replay for one in said)
    verdict.reached["signed_answers"] = len(said)
    verdict.reached["requests_at_the_wallet"] = len(deliveries)


def command_findings(stack: ChaosStack, package: str, command: str) -> list[str]:
    """What the service's own command says about its books; it must end with status 0."""
    ended = _run(stack, package, command)
    said = [*ended.stdout.splitlines(), *ended.stderr.splitlines()][-OUTPUT_LINES_SHOWN_MAX:]
    return [] if ended.returncode == 0 else [f"ended with {ended.returncode}", *said]


def chain_findings(stack: ChaosStack) -> list[str]:
    """The provider's heads are what finds a tail that was cut off at the casino."""
    heads, path = _run(stack, "provider", "heads"), stack.folder / "heads.jsonl"
    path.write_text(heads.stdout)
    if heads.returncode or not heads.stdout:
        return [f"provider heads ended with {heads.returncode} and wrote {len(heads.stdout)} characters"]
    return command_findings(stack, "casino", f"check-ledger --heads {path}")


def _run(stack: ChaosStack, package: str, command: str) -> subprocess.CompletedProcess[str]:
    environment = (stack.casinos if package == "casino" else stack.providers)[0].environment
    return run_command(package, command, environment)


def sent_again(stack: ChaosStack, said: list[history.Said], verdict: Verdict) -> list[str]:
    """Old requests under fresh signatures, to processes that have been started since: byte for byte the old answers."""
    for service in stack.casinos:
        stack.kill(service, down_seconds=0.0)
    for service in stack.casinos:
        _wait_until_ready(stack, service.port)
    kept = {one.key: one for one in said if one.is_recorded}
    asked = {
        (str(one.call.request.content.get("userId")), one.call.transaction_id): one.call
        for one in stack.proxy.deliveries
        if one.call.transaction_id
    }
    rng = random.Random(len(kept))
    sample = rng.sample(sorted(kept), min(len(kept), SENT_AGAIN_MAX))
    verdict.reached["old_requests_sent_again"] = len(sample)

    async def ask_all() -> list[str]:
        gate = asyncio.Semaphore(SENT_AGAIN_AT_ONCE)
        async with httpx.AsyncClient(timeout=SENT_AGAIN_SECONDS_MAX, trust_env=False, verify=False) as http:

            async def ask(number: int, key: history.Key) -> str | None:
                call = asked[key]
                async with gate:
                    answer = await _ask(http, stack.casino_peer(number), call.request.target, call.request.body)
                same = (answer.status_code, answer.content) == (kept[key].status, kept[key].body)
                if same and answer.headers.get("idempotent-replay") == "true":
                    return None
                return f"{kept[key]} now answers {answer.status_code} {answer.content!r}"

            answers = await asyncio.gather(*(ask(number, key) for number, key in enumerate(sample)))
        return [finding for finding in answers if finding]

    return asyncio.run(ask_all())


async def _ask(http: httpx.AsyncClient, peer: Peer, target: str, body: bytes) -> httpx.Response:
    """Ask as a provider does: a busy wallet is asked again."""
    answer = await send_signed(http, peer, target, body)
    for _ in range(RETRIES_MAX):
        if answer.status_code not in (409, 503):
            break
        await asyncio.sleep(POLL_SECONDS)
        answer = await send_signed(http, peer, target, body)
    return answer


def _wait_until_ready(stack: ChaosStack, port: int) -> None:
    service = next(service for service in stack.casinos if service.port == port)
    wait_until(service.is_ready, f"{service.package} did not come back")


def _secrets(stack: ChaosStack, players: Players) -> dict[str, list[str]]:
    return {
        "signing secrets": [stack.casino_secret, stack.provider_secret],
        "session tokens": players.tokens[-TOKENS_SOUGHT_MAX:],
        "signatures": list(_signatures(stack))[-SIGNATURES_SOUGHT_MAX:],
        "database passwords": [stack.postgres.passwords.of("postgres")],
    }


def _signatures(stack: ChaosStack) -> Iterator[str]:
    for delivery in stack.proxy.deliveries:
        value = delivery.call.request.field("x-casino-signature") or ""
        if "v1=" in value:
            yield value.rpartition("v1=")[2]
