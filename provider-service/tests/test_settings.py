"""Settings that the provider accepts and refuses."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from provider.sessions.sealing import sealing_order
from provider.settings import DEMO_SEALING_KEY, Settings, SettingsRefused, owner_database_url
from provider_testing.settings import FIFTH, FOURTH, GOOD, OTHER, STRONG, THIRD, URL, named_in, problems_of


def test_good_settings_are_taken_with_the_defaults_of_the_protocol() -> None:
    settings = Settings.from_environment(GOOD)
    assert (settings.listeners.host, settings.listeners.port, settings.casino_url) == (
        "127.0.0.1",
        8100,
        "http://127.0.0.1:8000",
    )
    assert (settings.call_seconds, settings.connect_seconds, settings.demo) == (8.0, 2.0, False)
    assert settings.lease_seconds == 10.0


@pytest.mark.parametrize("name", ["CASINO_SECRET", "PROVIDER_SECRET"])
@pytest.mark.parametrize("value", ["", "short", "x" * 31, "casino-secret", "casino-secret" * 3, "x" * 32])
def test_a_weak_secret_is_refused_by_name(name: str, value: str) -> None:
    assert named_in(problems_of(**{name: value})) == [{name}]


def test_a_weak_further_key_is_refused_with_its_id() -> None:
    found = problems_of(CASINO_KEYS='[{"id": "k2", "secret": "short"}]')
    assert named_in(found) == [{"CASINO_KEYS"}]
    assert "k2" in found[0]


@pytest.mark.parametrize("name", ["CASINO_SECRET", "PROVIDER_SECRET"])
@pytest.mark.parametrize("demo", ["", "1"])
def test_the_sealing_key_serves_no_other_purpose(name: str, demo: str) -> None:
    found = problems_of(PROVIDER_SEALING_KEY=GOOD[name], PROVIDER_DEMO=demo)
    assert named_in(found) == [{name, "PROVIDER_SEALING_KEY"}]


def test_a_weak_sealing_key_is_refused() -> None:
    assert named_in(problems_of(PROVIDER_SEALING_KEY="secret")) == [{"PROVIDER_SEALING_KEY"}]


@pytest.mark.parametrize("flag", ["PROVIDER_DEMO", "CASINO_DEMO"])
def test_demo_mode_takes_the_published_secrets(flag: str) -> None:
    settings = Settings.from_environment({"PROVIDER_DATABASE_URL": URL, flag: "1"})
    assert settings.demo is True
    assert [key.secret for key in settings.casino_keys] == [b"casino-secret"]
    assert [key.secret for key in settings.provider_keys] == [b"provider-secret"]


def test_the_newest_key_comes_last() -> None:
    newest = "a-newer-secret-of-thirty-two-bytes-or-more"
    settings = Settings.from_environment(GOOD | {"CASINO_KEYS": f'[{{"id": "k2", "secret": "{newest}"}}]'})
    assert [key.key_id for key in settings.casino_keys] == ["main", "k2"]
    sealing_secrets = sealing_order(settings.casino_keys, None, now=0)
    assert sealing_secrets[-1] == STRONG.encode(), "the oldest seals: every process has it while a new one comes"
    assert sealing_secrets[0] == newest.encode()


def test_a_sealing_key_seals_and_what_the_secrets_sealed_still_opens() -> None:
    settings = Settings.from_environment(GOOD | {"PROVIDER_SEALING_KEY": THIRD})
    assert sealing_order(settings.casino_keys, settings.sealing_key, now=0) == (STRONG.encode(), THIRD.encode())


def test_no_secret_is_in_a_repr_or_in_a_refusal() -> None:
    settings = Settings.from_environment(GOOD | {"PROVIDER_SEALING_KEY": THIRD})
    for secret in (STRONG, OTHER, "a-database-password", THIRD):
        assert secret not in repr(settings)
    weak = problems_of(CASINO_SECRET="do-not-print-me", CASINO_KEYS='[{"id": "k2", "secret": "nor-me"')
    assert "do-not-print-me" not in str(weak)
    assert "nor-me" not in str(weak)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROVIDER_CALL_SECONDS", "9"),
        ("PROVIDER_CALL_SECONDS", "nan"),
        ("PROVIDER_CONNECT_SECONDS", "3"),
        ("PROVIDER_PORT", "65536"),
        ("LOG_FORMAT", "xml"),
        ("CASINO_URL", "ftp://casino"),
        ("CASINO_URL", "http://user:password@casino"),
    ],
)
def test_a_setting_out_of_its_bounds_is_refused_by_name(name: str, value: str) -> None:
    assert named_in(problems_of(**{name: value})) == [{name}]


def test_migrations_need_the_owners_login_and_say_how_it_is_made() -> None:
    own, owners = "postgresql://app@db.test/a", "postgresql://owner@db.test/b"
    assert owner_database_url({"PROVIDER_DATABASE_URL": own, "PROVIDER_OWNER_DATABASE_URL": owners}) == owners
    for missing in ({}, {"PROVIDER_DATABASE_URL": own}):
        with pytest.raises(
            SettingsRefused, match=r"^PROVIDER_OWNER_DATABASE_URL is missing.*create role provider_migrator"
        ):
            owner_database_url(missing)


def test_the_time_of_the_nightly_reconciliation_is_a_time_in_utc_or_off() -> None:
    assert Settings.from_environment(GOOD).reconcile_at == dt.time(3, 30)
    assert Settings.from_environment(GOOD | {"PROVIDER_RECONCILE_AT": "23:59"}).reconcile_at == dt.time(23, 59)
    assert Settings.from_environment(GOOD | {"PROVIDER_RECONCILE_AT": "OFF"}).reconcile_at is None


def casinos_at(path: Path, *entries: dict[str, Any]) -> str:
    path.write_text(json.dumps(entries))
    return str(path)


def keys_of(casino: str = THIRD, provider: str = FOURTH, **ids: str) -> dict[str, Any]:
    return {
        "casino": [{"id": ids.get("casino", "acme-1"), "secret": casino}],
        "provider": [{"id": ids.get("provider", "acme-p1"), "secret": provider}],
    }


ACME: dict[str, Any] = {"id": "ACME", "url": "https://casino.acme.example"}
SEALED = {"PROVIDER_SEALING_KEY": FIFTH}


def test_further_casinos_come_from_a_file(tmp_path: Path) -> None:
    file = casinos_at(tmp_path / "casinos.json", ACME | {"keys": keys_of(), "embed": ["https://acme.example"]})
    settings = Settings.from_environment(GOOD | SEALED | {"PROVIDER_CASINOS_FILE": file})
    assert settings.casino_codes() == ["JAQPOT", "ACME"]
    shown = settings.with_all_keys()
    assert [key.key_id for key in shown.provider_keys] == ["main", "acme-p1"]
    assert THIRD not in repr(shown)


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"keys": keys_of(casino=STRONG)},
        {"keys": keys_of(provider=FIFTH)},
        {"keys": keys_of(casino="short")},
        {"keys": keys_of(casino="main")},
        {"keys": keys_of(), "embed": "https://acme.example"},
        {"keys": keys_of(), "embed": ["https://acme.example/page"]},
        {"keys": keys_of(), "status": "closed"},
        {"keys": keys_of(), "games": []},
    ],
    ids=["no keys", "ours", "the seal", "weak", "id", "text", "no origin", "status", "unknown"],
)
def test_a_file_that_is_not_usable_refuses_the_start_by_name(tmp_path: Path, entry: dict[str, Any]) -> None:
    file = casinos_at(tmp_path / "casinos.json", ACME | entry)
    (found,) = problems_of(**SEALED, PROVIDER_CASINOS_FILE=file)
    assert "PROVIDER_CASINOS_FILE" in found
    assert THIRD not in found


def test_outside_demo_mode_a_sealing_key_is_required() -> None:
    """A seed is sealed with nothing derived from a signing secret, because the casino knows those."""
    assert named_in(problems_of(PROVIDER_SEALING_KEY="")) == [{"PROVIDER_SEALING_KEY"}]
    without = GOOD | {"PROVIDER_SEALING_KEY": "", "PROVIDER_DEMO": "1"}
    assert Settings.from_environment(without).seeds_key == DEMO_SEALING_KEY.encode()
    assert Settings.from_environment(GOOD | SEALED).seeds_key == FIFTH.encode()
