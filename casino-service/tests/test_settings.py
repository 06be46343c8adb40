"""Protocol section 9: what the environment must hold. A bad secret stops the start, is named, and is never shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from casino.__main__ import main
from casino.settings import Settings
from shared_service.settings.reader import SettingsRefused

CASINO_SECRET = "0c5e1a94f7d2836b98e0a7d3c41f6b25"
PROVIDER_SECRET = "7b20f9d6e8a1435c6d93b0f8215ea47c"
TOKEN_SECRET = "e47f0a5b92d8136ccb1695f30da2e874"
PEPPER = "5d8e06b1f7c2493ab1906ed4f82c7a35"
THIRD = "39a6d1f05c7be824f21c8b50e96d73a4"
GOOD = {
    "CASINO_DATABASE_URL": "postgresql://casino:database-password@db.test/casino",
    "CASINO_SECRET": CASINO_SECRET,
    "PROVIDER_SECRET": PROVIDER_SECRET,
    "CASINO_ACCESS_TOKEN_SECRET": TOKEN_SECRET,
    "CASINO_PEPPER": PEPPER,
}


def read(**changes: str | None) -> Settings:
    environment = {**GOOD, **changes}
    return Settings.from_environment({name: value for name, value in environment.items() if value is not None})


def refusal(**changes: str | None) -> str:
    with pytest.raises(SettingsRefused) as caught:
        read(**changes)
    return str(caught.value)


def keys(*entries: dict[str, Any]) -> str:
    return json.dumps(entries)


def test_good_settings_are_read_and_everything_else_has_a_default() -> None:
    settings = read()
    assert [(key.key_id, key.secret) for key in settings.casino_keys] == [("main", CASINO_SECRET.encode())]
    assert [(key.key_id, key.secret) for key in settings.provider_keys] == [("main", PROVIDER_SECRET.encode())]
    assert (settings.database_url, settings.owner_database_url) == (GOOD["CASINO_DATABASE_URL"], None)
    assert (settings.listeners.host, settings.listeners.port, settings.demo) == ("127.0.0.1", 8000, False)
    assert (settings.tenant_id, settings.ledger_id) == ("JAQPOT", 1)


def test_what_is_set_is_taken() -> None:
    settings = read(
        CASINO_OWNER_DATABASE_URL="postgresql://owner@db.test/casino", CASINO_PORT="0", CASINO_HOST="0.0.0.0",
        PROVIDER_URL="https://provider.test/", CASINO_TENANT="OTHER", CASINO_LEDGER="7", CASINO_GROUP_COMMIT_MAX="1",
        LOG_FORMAT="console", LOG_LEVEL="debug",
    )  # fmt: skip
    assert settings.owner_database_url == "postgresql://owner@db.test/casino"
    assert (settings.listeners.host, settings.listeners.port) == ("0.0.0.0", 0)
    assert settings.provider_url == "https://provider.test"
    assert (settings.tenant_id, settings.ledger_id, settings.group_commit_max) == ("OTHER", 7, 1)
    assert (settings.log_format, settings.log_level) == ("console", "debug")


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("value", [None, ""])
def test_what_is_missing_is_named(name: str, value: str | None) -> None:
    assert name in refusal(**{name: value})


@pytest.mark.parametrize("name", ["CASINO_SECRET", "PROVIDER_SECRET", "CASINO_ACCESS_TOKEN_SECRET", "CASINO_PEPPER"])
@pytest.mark.parametrize("secret", ["x" * 31, "casino-secret", "x" * 32, THIRD[:20] + "\n" + THIRD[20:]])
def test_a_short_or_well_known_secret_is_refused_and_never_shown(name: str, secret: str) -> None:
    """Every kind of weak secret: shared-service/tests/keys/test_strength.py."""
    text = refusal(**{name: secret})
    assert name in text
    assert secret not in text


@pytest.mark.parametrize("secret", [THIRD, "é" + THIRD[2:]])
def test_a_secret_has_at_least_32_bytes(secret: str) -> None:
    assert read(CASINO_SECRET=secret).casino_keys[0].secret == secret.encode()


@pytest.mark.parametrize("side", ["CASINO", "PROVIDER"])
@pytest.mark.parametrize("secret", ["tiny-one", "casino-secret", THIRD + "\n"])
def test_further_keys_are_held_to_the_same_rules_and_named(side: str, secret: str) -> None:
    text = refusal(**{f"{side}_KEYS": keys({"id": "k2", "secret": secret})})
    assert f"{side}_KEYS" in text
    assert "k2" in text
    assert secret not in text


@pytest.mark.parametrize("value", ["{", "[]]", '{"id":"k2"}', '[{"id":"k2"}]', '["a secret that is not in an object"]'])
def test_keys_that_cannot_be_read_are_named_and_never_shown(value: str) -> None:
    text = refusal(CASINO_KEYS=value)
    assert "CASINO_KEYS" in text
    assert "a secret" not in text


def test_the_newest_key_signs_and_main_may_be_given_an_end() -> None:
    more = keys({"id": "main", "notAfter": "2030-01-01T00:00:00Z"}, {"id": "k2", "secret": THIRD})
    settings = read(CASINO_KEYS=more)
    assert [key.key_id for key in settings.casino_keys] == ["main", "k2"]
    assert settings.casino_keys[0].not_after is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"PROVIDER_SECRET": CASINO_SECRET},
        {"PROVIDER_KEYS": keys({"id": "k2", "secret": CASINO_SECRET})},
        {"CASINO_KEYS": keys({"id": "k2", "secret": PROVIDER_SECRET})},
        {"CASINO_ACCESS_TOKEN_SECRET": CASINO_SECRET},
        {"CASINO_ACCESS_TOKEN_SECRET": PROVIDER_SECRET},
        {"CASINO_PEPPER": PROVIDER_SECRET},
        {"CASINO_PEPPER": THIRD, "CASINO_ACCESS_TOKEN_SECRET": THIRD},
        {"CASINO_ACCESS_TOKEN_SECRET": THIRD, "CASINO_KEYS": keys({"id": "k2", "secret": THIRD})},
        {"CASINO_ACCESS_TOKEN_KEYS": keys({"id": "k2", "secret": PROVIDER_SECRET})},
        {"CASINO_ACCESS_TOKEN_KEYS": keys({"id": "k2", "secret": CASINO_SECRET, "notAfter": "2020-01-01T00:00:00Z"})},
    ],
)
@pytest.mark.parametrize("demo", ["0", "1"])
def test_no_two_purposes_share_a_secret(changes: dict[str, str], demo: str) -> None:
    """A studio that knows the secret of players' tokens can be any player."""
    text = refusal(CASINO_DEMO=demo, **changes)
    assert all(name in text for name in changes)
    assert not any(secret in text for secret in (CASINO_SECRET, PROVIDER_SECRET, THIRD))


def test_without_both_secrets_of_the_platform_there_is_no_platform() -> None:
    neither = read(CASINO_ACCESS_TOKEN_SECRET=None, CASINO_PEPPER=None)
    assert (neither.access_token_keys, neither.pepper) == ((), b"")
    assert read(CASINO_DEMO="1", CASINO_PEPPER=None).pepper == b"casino-pepper-secret"


def test_players_tokens_have_keys_with_ids_and_outside_demo_mode_at_least_one() -> None:
    newer = keys({"id": "k2", "secret": THIRD, "notAfter": "2030-01-01T00:00:00Z"})
    both = read(CASINO_ACCESS_TOKEN_KEYS=newer).access_token_keys
    assert [key.key_id for key in both] == ["main", "k2"]
    alone = read(CASINO_ACCESS_TOKEN_SECRET=None, CASINO_ACCESS_TOKEN_KEYS=newer).access_token_keys
    assert [(key.key_id, key.secret) for key in alone] == [("k2", THIRD.encode())]
    for nothing in (None, "", "  ", "\n"):
        text = refusal(CASINO_ACCESS_TOKEN_SECRET=nothing, CASINO_ACCESS_TOKEN_KEYS="")
        assert "CASINO_ACCESS_TOKEN_SECRET" in text
    (published,) = read(CASINO_DEMO="1", CASINO_ACCESS_TOKEN_SECRET=None).access_token_keys
    assert published.secret == b"casino-access-token-secret"
    assert "CASINO_ACCESS_TOKEN_KEYS" in refusal(CASINO_ACCESS_TOKEN_KEYS=keys({"id": "k2", "secret": "short"}))
    assert "CASINO_ACCESS_TOKEN_KEYS" in refusal(CASINO_ACCESS_TOKEN_KEYS="{")


def test_in_demo_mode_the_published_secrets_are_the_default() -> None:
    settings = read(CASINO_DEMO="1", CASINO_SECRET=None, PROVIDER_SECRET=None)
    assert settings.demo
    assert settings.casino_keys[0].secret == b"casino-secret"
    assert settings.provider_keys[0].secret == b"provider-secret"
    assert read(CASINO_DEMO="1", CASINO_SECRET="short").casino_keys[0].secret == b"short"


@pytest.mark.parametrize("value", ["0", "", " ", "false", "No", "OFF"])
def test_a_no_is_not_demo_mode(value: str) -> None:
    assert "CASINO_SECRET" in refusal(CASINO_DEMO=value, CASINO_SECRET=None)


@pytest.mark.parametrize("value", ["1", "true", "Yes", " ON "])
def test_every_yes_is_demo_mode(value: str) -> None:
    assert read(CASINO_DEMO=value, CASINO_SECRET=None).demo


def test_the_providers_demo_flag_alone_does_not_open_the_casino() -> None:
    assert not read(CASINO_DEMO=None, PROVIDER_DEMO="1").demo


def test_the_game_is_where_the_provider_is() -> None:
    assert read().game_url == "http://127.0.0.1:8100/play"
    assert read(PROVIDER_URL="HTTPS://Provider.test/").game_url == "https://provider.test/play"
    assert (
        read(PROVIDER_URL="https://p.test", CASINO_GAME_URL="https://g.test/x?y=1").game_url == "https://g.test/x?y=1"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CASINO_PORT", "65536"), ("CASINO_PORT", "-1"), ("CASINO_PORT", "http"), ("CASINO_PORT", "80.5"),
        ("CASINO_LEDGER", "0"), ("CASINO_LEDGER", "32768"), ("CASINO_GROUP_COMMIT_MAX", "0"),
        ("CASINO_GROUP_COMMIT_LANES", "17"), ("CASINO_QUEUE_MAX", "100001"), ("CASINO_WALLET_QUEUE_MAX", "0"),
        ("CASINO_CLIENT_BURST", "0"), ("CASINO_CLIENT_PER_SECOND", "0"), ("CASINO_CLIENT_PER_SECOND", "2.5"),
    ],
)  # fmt: skip
def test_a_number_out_of_its_range_is_named(name: str, value: str) -> None:
    assert name in refusal(**{name: value})


def test_proxies_are_addresses_and_networks_and_nobody_is_one_by_default() -> None:
    assert read().trusted_proxies == ()
    found = read(CASINO_TRUSTED_PROXIES=" 10.0.0.0/8,192.0.2.1 2001:db8::/32,").trusted_proxies
    assert [str(network) for network in found] == ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"]


def test_neither_repr_nor_str_shows_a_secret_or_a_password() -> None:
    settings = read(CASINO_KEYS=keys({"id": "k2", "secret": THIRD}))
    for text in (repr(settings), str(settings), f"{settings}"):
        for secret in (CASINO_SECRET, PROVIDER_SECRET, TOKEN_SECRET, THIRD, "database-password"):
            assert secret not in text


@pytest.mark.parametrize("name", GOOD)
def test_the_command_says_what_is_missing_and_does_not_start(name: str) -> None:
    environment: dict[str, str | None] = {**GOOD, "CASINO_DEMO": "0", name: None}
    result = CliRunner().invoke(main, ["serve"], env=environment)
    assert result.exit_code == 1
    assert name in result.output + str(result.exception)
    assert CASINO_SECRET not in result.output


@pytest.mark.parametrize("command", ["migrate", "seed-demo"])
def test_migrations_need_the_owners_login_and_no_secret(command: str) -> None:
    """The application's login does not take its place. The sentence says how the other one is made."""
    nothing: dict[str, str | None] = dict.fromkeys([*GOOD, "CASINO_OWNER_DATABASE_URL"])
    for environment in (nothing, nothing | {"CASINO_DATABASE_URL": GOOD["CASINO_DATABASE_URL"]}):
        result = CliRunner().invoke(main, [command], env=environment)
        said = result.output + str(result.exception)
        assert result.exit_code == 1
        assert "CASINO_OWNER_DATABASE_URL is missing" in said
        assert "create role casino_migrator login" in said


@pytest.mark.parametrize("word", ["0", ""])
def test_demo_data_can_be_kept_out_of_what_is_no_demo(word: str) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    environment: dict[str, str | None] = {"CASINO_OWNER_DATABASE_URL": nowhere, "CASINO_DEMO": word}
    assert CliRunner().invoke(main, ["seed-demo", "--only-in-demo-mode"], env=environment).exit_code == 0


def test_demo_data_is_loaded_in_demo_mode() -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    environment: dict[str, str | None] = {"CASINO_OWNER_DATABASE_URL": nowhere, "CASINO_DEMO": "1"}
    ended = CliRunner().invoke(main, ["seed-demo", "--only-in-demo-mode"], env=environment)
    assert (ended.exit_code, "CASINO_OWNER_DATABASE_URL" in ended.output) == (1, True), "it has gone to the database"
