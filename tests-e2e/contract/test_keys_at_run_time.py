"""Keys while services run: emergency revocation, rotation from mounted files, and what a process without keys does."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from e2e_testing.answers import Answer, Peer
from e2e_testing.database import Database
from e2e_testing.game_session import GameSession
from e2e_testing.key_traffic import Traffic, running
from e2e_testing.service_process import ServiceProcess, run_command
from e2e_testing.signing_client import SigningClient
from e2e_testing.stack import Stack, StartStack, demo_environment
from shared_service_testing.waiting import wait_until

LAG_SECONDS_MAX = 2.0
"""Of a machine that goes on: two seconds in which nothing is answered at all accept no stolen key."""
K2_CASINO, K2_PROVIDER = "second-casino-secret", "second-provider-secret"
K2_ON_BOTH = {
    "CASINO_KEYS": json.dumps([{"id": "k2", "secret": K2_CASINO}]),
    "PROVIDER_KEYS": json.dumps([{"id": "k2", "secret": K2_PROVIDER}]),
}
MAIN_ENDED = {"id": "main", "notAfter": "2020-01-01T00:00:00Z"}


def client(stack: Stack, peer: Peer, key_id: str) -> SigningClient:
    secrets = {(stack.casino, "k2"): K2_CASINO, (stack.provider, "k2"): K2_PROVIDER}
    return stack.signing_client(replace(peer, secret=secrets.get((peer, key_id), peer.secret)), key_id=key_id)


def balance_asker(stack: Stack, session: GameSession, key_id: str) -> Callable[[], Answer]:
    wallet = client(stack, stack.casino, key_id)
    return lambda: wallet.send(wallet.signer.prepare("POST", "/casino/getBalance", session.who()))


def launch_asker(stack: Stack, key_id: str) -> Callable[[], Answer]:
    """A body that is refused as `invalid_field` when the signature holds: nothing is launched."""
    peer = client(stack, stack.provider, key_id)
    return lambda: peer.send(peer.signer.prepare("POST", "/provider/launch", {"userId": "1"}))


def command(stack: Stack, package: str, text: str) -> str:
    return printed(package, text, stack.services[package].environment)


def printed(package: str, text: str, environment: Mapping[str, str]) -> str:
    finished = run_command(package, text, environment)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout + finished.stderr


def test_a_revoked_key_is_refused_by_every_process_within_two_seconds(start_stack: StartStack) -> None:
    """Row E5. The emergency: two processes of each service, a key that is in use, no restart."""
    one = start_stack(casino_settings=K2_ON_BOTH, provider_settings=K2_ON_BOTH)
    two = start_stack(like=one, casino_settings=K2_ON_BOTH, provider_settings=K2_ON_BOTH)
    session = one.session()
    stolen = [Traffic(balance_asker(stack, session, "k2")) for stack in (one, two)]
    stolen += [Traffic(launch_asker(stack, "k2")) for stack in (one, two)]
    good = [Traffic(balance_asker(stack, session, "main")) for stack in (one, two)]
    with running(*stolen, *good):
        wait_until(lambda: all(len(traffic.seen) > 5 for traffic in stolen), "some traffic")
        command(one, "casino", "revoke-key k2 --direction casino")
        command(one, "provider", "revoke-key k2 --direction provider")
        revoked_at = time.monotonic()
        wait_until(lambda: all(traffic.first("unknown_key") for traffic in stolen), "all processes refuse the key")
        time.sleep(1.0)
    lags = [traffic.lively_seconds(revoked_at, "unknown_key") for traffic in stolen]
    print("seconds from the revocation to its refusal, by process:", [round(lag, 2) for lag in lags])
    assert max(lags) < LAG_SECONDS_MAX, lags
    for traffic in stolen:
        verdicts = [seen.verdict for seen in traffic.seen]
        first = verdicts.index((401, "unknown_key"))
        assert set(verdicts[first:]) == {(401, "unknown_key")}, "a process that refused it once never accepts it again"
    for traffic in good:
        assert traffic.other_than_ok == []
    for service in (one.casino_process, one.provider_process):
        service.kill_9()
        service.restart()
    assert stolen[0].ask().verdict == (401, "unknown_key"), "a restart does not bring the key back"
    assert stolen[2].ask().verdict == (401, "unknown_key")


def test_a_revoked_key_signs_no_more_and_the_one_before_it_signs_again(start_stack: StartStack) -> None:
    """Row E5. Both services sign with k2, the newest; after its revocation rounds go on under `main`."""
    stack = start_stack(casino_settings=K2_ON_BOTH, provider_settings=K2_ON_BOTH)
    player = stack.open_player()
    session = stack.session()
    assert stack.simulate(player).must_be_ok().content["passed"]
    for package in ("casino", "provider"):
        for direction in ("casino", "provider"):
            command(stack, package, f"revoke-key k2 --direction {direction}")
    wait_until(lambda: balance_asker(stack, session, "k2")().verdict == (401, "unknown_key"), "casino refuses k2")
    wait_until(lambda: launch_asker(stack, "k2")().verdict == (401, "unknown_key"), "provider refuses k2")
    wait_until(lambda: stack.simulate(player).content.get("passed") is True, "a round under main")


def placed(path: Path, content: bytes) -> Path:
    """Written as a mounted secret is: the new content is there at once, never half."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    return fresh.replace(path)


def key_file(path: Path, *entries: dict[str, str]) -> Path:
    return placed(path, json.dumps(entries).encode())


def is_signing_with_k2(service: ServiceProcess) -> bool:
    """Whether the process has said that it has k2, in both directions."""
    said = [line for line in service.log_path.read_text().splitlines() if "live_keys_changed" in line]
    return said[-1].count("k2") == 2


def test_keys_rotate_under_load_without_a_restart_and_without_a_refused_good_request(
    start_stack: StartStack, tmp_path: Path
) -> None:
    """Row E5. The verifier gets k2 first, then the signer, then `main` ends; both directions."""
    files = {(package, side): key_file(tmp_path / f"{package}-{side}.json")
             for package in ("casino", "provider") for side in ("CASINO", "PROVIDER")}  # fmt: skip
    settings = {
        package: {f"{side}_KEYS_FILE": str(files[package, side]) for side in ("CASINO", "PROVIDER")}
        for package in ("casino", "provider")
    }
    stack = start_stack(casino_settings=settings["casino"], provider_settings=settings["provider"])
    old_session = stack.session()
    k2 = {"CASINO": {"id": "k2", "secret": K2_CASINO}, "PROVIDER": {"id": "k2", "secret": K2_PROVIDER}}
    askers = {name: (balance_asker(stack, stack.session(), name), launch_asker(stack, name)) for name in ("main", "k2")}
    players = [stack.open_player() for _ in range(2)]
    to_casino, to_provider = Traffic(askers["main"][0]), Traffic(askers["main"][1])
    rounds = [Traffic(lambda player=player: stack.simulate(player)) for player in players]  # type: ignore[misc]
    with running(to_casino, to_provider, *rounds):
        key_file(files["casino", "CASINO"], k2["CASINO"])
        key_file(files["provider", "PROVIDER"], k2["PROVIDER"])
        wait_until(lambda: askers["k2"][0]().status == 200 and askers["k2"][1]().status == 400, "the verifiers know k2")
        key_file(files["provider", "CASINO"], k2["CASINO"])
        key_file(files["casino", "PROVIDER"], k2["PROVIDER"])
        to_casino.ask, to_provider.ask = askers["k2"]
        wait_until(
            lambda: all(is_signing_with_k2(service) for service in stack.services.values()), "the signers know k2"
        )
        for traffic in (to_casino, to_provider, *rounds):
            traffic.goes_on()  # nothing is under way any more that main has signed
        for package in ("casino", "provider"):
            for side in ("CASINO", "PROVIDER"):
                key_file(files[package, side], MAIN_ENDED, k2[side])
        wait_until(lambda: askers["main"][0]().status == 401 and askers["main"][1]().status == 401, "main is gone")
        played = [len(traffic.seen) for traffic in rounds]
        wait_until(lambda: all(len(t.seen) > n + 2 for t, n in zip(rounds, played, strict=True)), "rounds after it")
    assert {seen.verdict[1] for seen in to_provider.seen} == {"invalid_field"}, "every signature held"
    assert [traffic.other_than_ok for traffic in (to_casino, *rounds)] == [[], [], []]
    assert askers["main"][0]().verdict == askers["main"][1]().verdict == (401, "unknown_key")
    assert played_with(stack, old_session).status == 200, "a token sealed before the rotation still opens"


def played_with(stack: Stack, session: GameSession) -> Answer:
    provider = client(stack, stack.provider, "k2")
    content = session.who() | {
        "providerSessionId": session.provider_session_id, "gameId": "SLOTS_001", "currency": "USD",
        "casinoCode": "JAQPOT",
    }  # fmt: skip
    return provider.send(provider.signer.prepare("POST", "/provider/simulate", content))


def test_a_broken_key_file_is_told_of_once_and_changes_nothing(start_stack: StartStack, tmp_path: Path) -> None:
    """Row E5. Half a file, then none: the keys that are there stay. test_live_keys.py has other contents."""
    path = key_file(tmp_path / "keys.json", {"id": "k2", "secret": K2_CASINO})
    stack = start_stack(casino_settings={"CASINO_KEYS_FILE": str(path)})
    asker = balance_asker(stack, stack.session(), "k2")
    log = stack.casino_process.log_path
    placed(path, b'[{"id":"k2","secret":"canary-in-half-a-f')
    wait_until(lambda: "key_file_refused" in log.read_text(), "the complaint")
    time.sleep(1.3)
    assert log.read_text().count("key_file_refused") == 1, "once, not with every look"
    assert asker().status == 200
    path.unlink()
    wait_until(lambda: log.read_text().count("key_file_refused") == 2, "the complaint")
    assert asker().status == 200
    assert "canary" not in log.read_text()


def test_without_a_live_key_nothing_is_accepted_signed_or_lost(start_stack: StartStack, tmp_path: Path) -> None:
    """Row E5. The last key is revoked while the casino plays; with a new key the same service goes on."""
    files = {package: key_file(tmp_path / f"{package}.json") for package in ("casino", "provider")}
    stack = start_stack(
        casino_settings={"CASINO_KEYS_FILE": str(files["casino"])},
        provider_settings={"CASINO_KEYS_FILE": str(files["provider"])},
    )
    session = stack.session()
    refused = run_command("casino", "revoke-key main --direction casino", stack.casino_process.environment)
    assert refused.returncode == 1
    assert balance_asker(stack, session, "main")().status == 200, "without --yes nothing was changed"
    for package in ("casino", "provider"):
        command(stack, package, "revoke-key main --direction casino --yes")
    wait_until(lambda: balance_asker(stack, session, "main")().verdict == (401, "unknown_key"), "main is gone")
    wait_until(lambda: not stack.simulate(session.user_id).content.get("passed"), "no round is played")
    for path in files.values():
        key_file(path, {"id": "k2", "secret": K2_CASINO})
    wait_until(lambda: balance_asker(stack, session, "k2")().status == 200, "k2 came")
    wait_until(lambda: stack.simulate(session.user_id).content.get("passed") is True, "a round under k2")


@pytest.mark.parametrize("package", ["casino", "provider"])
def test_the_commands_show_ids_and_states_and_never_a_secret(scratch: Database, package: str) -> None:
    environment = demo_environment(scratch, casino_url="http://127.0.0.1:1", provider_url="http://127.0.0.1:1") | {
        "CASINO_KEYS": K2_ON_BOTH["CASINO_KEYS"],
        "PROVIDER_KEYS": json.dumps([MAIN_ENDED, {"id": "k2", "secret": K2_PROVIDER}]),
    }
    said = printed(package, "keys", environment)
    assert [" ".join(line.split()) for line in said.splitlines()] == [
        "casino main live", "casino k2 live signs",
        "provider main ended not after 2020-01-01T00:00:00Z", "provider k2 live signs",
    ]  # fmt: skip
    assert printed(package, "revoke-key --list", environment) == said
    said += printed(package, "revoke-key k2 --direction casino", environment)
    revoked = printed(package, "keys", environment)
    assert "casino k2 revoked" in " ".join(revoked.split())
    printed(package, "revoke-key k2 --direction casino", environment)
    assert printed(package, "keys", environment) == revoked, "a second time changes nothing"
    unknown = run_command(package, "revoke-key k3 --direction casino", environment)
    assert unknown.returncode == 1
    assert "k3" in unknown.stderr
    which = run_command(package, "revoke-key k2", environment)
    assert which.returncode == 2
    for text in (said, unknown.stderr, which.stderr):
        assert "secret" not in text.replace("never a secret", "")
