"""Keys of a running provider: revocations, key files, and tokens that still open after a rotation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from provider.sessions.sealing import SealBroken, Sealer, key_watch_for, sealer_for, sealing_order
from provider_testing.abandoned_rounds import plant_abandoned_rounds
from provider_testing.deadlines import Deadlines
from provider_testing.fake_wallet import CASINO_SECRET, FakeWallet
from provider_testing.service import CASINO_KEY, fresh_launch, rows, serving, settings_for, settled
from provider_testing.settings import named_in, problems_of
from shared_service.keys.live_keys import KeyFile
from shared_service_testing.waiting import until
from shared_signing.keys import Key

K2 = Key("k2", b"second-casino-secret")
MAIN_ENDED = {"id": "main", "notAfter": "2020-01-01T00:00:00Z"}


def key_file(path: Path, *entries: dict[str, str]) -> KeyFile:
    path.write_text(json.dumps(entries))
    return KeyFile(path, CASINO_KEY.secret.decode())


def revoke(owner_url: str, key_id: str) -> None:
    with psycopg.connect(owner_url) as connection:
        connection.execute("insert into provider.key_revocations (direction, key_id) values ('casino', %s)", (key_id,))


def test_the_oldest_live_key_seals_so_that_no_process_waits_for_a_new_one() -> None:
    keys = [Key("main", b"m"), Key("k2", b"2"), Key("k3", b"3")]
    assert sealing_order(keys, None, now=0) == (b"3", b"2", b"m")
    assert sealing_order([keys[0].ended(), *keys[1:]], None, now=0) == (b"m", b"3", b"2")
    assert sealing_order(keys, "s", now=0)[-1] == b"s", "a sealing key of its own always seals"


def test_a_sealer_forgets_nothing_while_it_runs() -> None:
    sealer = Sealer([b"main"])
    first = sealer.seal("token")
    sealer.learn([b"k2"])
    second = sealer.seal("token")
    sealer.learn([b"k3"])
    assert sealer.open(first) == sealer.open(second) == "token"
    with pytest.raises(SealBroken):
        Sealer([b"main", b"k3"]).open(second)
    sealer.learn([b"main", b"k2"])
    assert Sealer([b"k2"]).open(sealer.seal("back")) == "back"


def test_what_a_sealer_remembers_has_a_bound() -> None:
    sealer = Sealer([b"first"])
    oldest = sealer.seal("token")
    sealer.learn([b"%d" % n for n in range(256)])
    with pytest.raises(SealBroken):
        sealer.open(oldest)
    assert sealer.open(Sealer([b"0"]).seal("token")) == "token"


async def test_a_session_outlives_the_rotation_and_the_removal_of_the_key_that_sealed_it(
    database_url: str, wallet: FakeWallet, tmp_path: Path, logged: Callable[[], str]
) -> None:
    """Row E5. `main` ends, k2 comes and goes again, k3 signs: every session plays on."""
    file = key_file(tmp_path / "keys.json")
    wallet.ring.replace([Key("main", CASINO_SECRET), K2, Key("k3", b"third-casino-secret")])

    async with serving(database_url, wallet, casino_keys_file=file) as provider:
        sessions = [await provider.launch()]
        key_file(file.path, MAIN_ENDED, {"id": "k2", "secret": "second-casino-secret"})
        await until(lambda: '"casino": ["k2"]' in logged())
        sessions.append(await provider.launch())
        key_file(file.path, MAIN_ENDED, {"id": "k3", "secret": "third-casino-secret"})
        await until(lambda: '"casino": ["k3"]' in logged())
        sessions.append(await provider.launch())
        for session in sessions:
            assert (await provider.simulate(session))["passed"]


async def test_a_secret_that_is_replaced_under_its_id_is_named_and_seals_from_then_on(
    database_url: str, tmp_path: Path, logged: Callable[[], str]
) -> None:
    first, second = "canary: the first secret of k2", "canary: the second secret of k2"
    file = key_file(tmp_path / "keys.json", MAIN_ENDED, {"id": "k2", "secret": first})
    settings = settings_for(database_url, "http://wallet.test", casino_keys_file=file)
    sealer = sealer_for(settings)
    async with key_watch_for(settings, sealer).running():
        key_file(file.path, MAIN_ENDED, {"id": "k2", "secret": second})
        await until(lambda: "key_secret_replaced" in logged())
        assert Sealer([second.encode()]).open(sealer.seal("token")) == "token"
    (said,) = [json.loads(line) for line in logged().splitlines() if "key_secret_replaced" in line]
    assert (said["direction"], said["key_id"]) == ("casino", "k2")
    assert "canary" not in logged()


async def test_a_revocation_from_before_the_start_holds_from_the_first_moment(
    database_url: str, owner_url: str
) -> None:
    """Row E5. And the revoked key seals nothing new, although it opens what it sealed."""
    revoke(owner_url, "main")
    settings = settings_for(database_url, "http://wallet.test", casino_keys=(CASINO_KEY, K2))

    sealer = sealer_for(settings)
    watch = key_watch_for(settings, sealer)
    assert watch.keys.ring("casino").awaiting
    async with watch.running():
        live, sealed = watch.keys.live_ids(0), sealer.seal("token")
    assert live == {"casino": ("k2",), "provider": ("main",)}
    assert Sealer([K2.secret]).open(sealed) == "token"


@pytest.mark.usefixtures("own_patience")
async def test_without_a_database_nobody_is_believed(wallet: FakeWallet) -> None:
    """Row E5. Before the first look at the revocations every signed request is asked to come again."""

    async with serving("postgresql://nobody@127.0.0.1:1/none", wallet) as provider:
        answer = await provider.client.post("/provider/launch", json=fresh_launch())
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")


async def test_without_a_live_key_nothing_is_sent_and_nothing_is_lost(  # noqa: PLR0917 - fixtures
    database_url: str,
    owner_url: str,
    wallet: FakeWallet,
    tmp_path: Path,
    logged: Callable[[], str],
    deadlines: Deadlines,
) -> None:
    """Row E5. A bet that a crash left open cannot be taken back without a key; it is, once there is one."""
    file = key_file(tmp_path / "keys.json")
    wallet.ring.replace([Key("main", CASINO_SECRET), K2])
    plant_abandoned_rounds(owner_url, 1)
    revoke(owner_url, "main")

    async with serving(database_url, wallet, casino_keys_file=file) as provider:
        deadlines.last_try = 1
        answer = await provider.client.post("/provider/launch", json=fresh_launch())
        assert (answer.status_code, answer.json()["code"]) == (423, "casino_draining")
        await until(lambda: rows(owner_url, "select from provider.wallet_attempts where failure = 'no live key'"))
        assert wallet.calls == []
        deadlines.last_try = None
        key_file(file.path, {"id": "k2", "secret": "second-casino-secret"})
        await until(lambda: '"casino": ["k2"]' in logged())
        await settled(owner_url)
        assert (await provider.simulate())["passed"]
    assert wallet.calls != []


def test_keys_and_a_file_of_keys_together_are_refused(tmp_path: Path) -> None:
    both = {"CASINO_KEYS": "[]", "CASINO_KEYS_FILE": str(tmp_path / "none.json")}
    assert {"CASINO_KEYS", "CASINO_KEYS_FILE"} in named_in(problems_of(**both))
    assert named_in(problems_of(CASINO_KEYS_FILE=both["CASINO_KEYS_FILE"])) == [{"CASINO_KEYS_FILE"}]
    (tmp_path / "weak.json").write_text('[{"id": "k2", "secret": "canary"}]')
    (found,) = problems_of(PROVIDER_KEYS_FILE=str(tmp_path / "weak.json"))
    assert (named_in([found]), "k2" in found, "canary" in found) == ([{"PROVIDER_KEYS_FILE"}], True, False)
