"""The stack's settings from the environment, and the environment of each service."""

from pathlib import Path

import pytest

from local_stack.peers import peers_of
from local_stack.settings import DEMO_SECRETS, DEMO_SECRETS_2, BadSettingError, from_environment, hermetic, two_pairs


def test_without_any_variable_the_stack_is_the_documented_demo() -> None:
    settings = from_environment({})
    assert dict(settings.ports) == {"casino": 8000, "provider": 8100}
    assert settings.state_dir == Path(".state").resolve()
    assert settings.base["CASINO_SECRET"] == "casino-secret"
    assert settings.base["PROVIDER_SECRET"] == "provider-secret"
    assert settings.base["CASINO_DEMO"] == "1"


def test_outside_demo_mode_no_secret_is_made_up() -> None:
    settings = from_environment({"CASINO_DEMO": "0"})
    assert "CASINO_SECRET" not in settings.base
    assert "PROVIDER_SECRET" not in settings.base


def test_secrets_of_the_environment_win() -> None:
    assert from_environment({"CASINO_SECRET": "x" * 32}).base["CASINO_SECRET"] == "x" * 32


def test_a_service_never_gets_the_address_of_the_other_or_of_an_owner() -> None:
    environ = {
        "CASINO_DATABASE_URL": "postgresql://c",
        "CASINO_OWNER_DATABASE_URL": "postgresql://co",
        "PROVIDER_DATABASE_URL": "postgresql://p",
    }
    seen = from_environment(environ).environment("casino", database_url="postgresql://c")
    assert {name for name in seen if name.endswith("_DATABASE_URL")} == {"CASINO_DATABASE_URL"}


def test_each_service_has_key_files_of_its_own_unless_keys_are_given() -> None:
    settings = from_environment({"STACK_STATE_DIR": "/state"})
    files = {service: settings.environment(service, database_url="") for service in ("casino", "provider")}
    for side in ("CASINO_KEYS_FILE", "PROVIDER_KEYS_FILE"):
        assert files["casino"][side] != files["provider"][side]
    given = {"CASINO_KEYS": "[]", "PROVIDER_KEYS_FILE": "/keys.json"}
    seen = from_environment(given).environment("casino", database_url="")
    assert {name: value for name, value in seen.items() if "_KEYS" in name} == given


@pytest.mark.parametrize("word", ["0", "65536", "http", "-1"])
def test_a_port_that_is_none_is_refused_by_name(word: str) -> None:
    with pytest.raises(BadSettingError, match="PROVIDER_PORT"):
        from_environment({"PROVIDER_PORT": word})


@pytest.mark.parametrize("character", ["\n", "\x1b", "\x7f"])
def test_a_state_folder_with_a_control_character_is_refused_by_name(character: str) -> None:
    with pytest.raises(BadSettingError, match="STACK_STATE_DIR") as refused:
        from_environment({"STACK_STATE_DIR": f"/state{character}x"})
    assert str(refused.value).isprintable()


def test_one_port_for_both_services_is_refused() -> None:
    with pytest.raises(BadSettingError, match="port 8100 is chosen twice"):
        from_environment({"CASINO_PORT": "8100"})


def test_the_demo_takes_nothing_of_the_stack_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CASINO_DATABASE_URL", "postgresql://production")
    monkeypatch.setenv("CASINO_SECRET", "x" * 32)
    (settings,) = hermetic(tmp_path)
    assert settings.given_database_url("casino") is None
    assert settings.base["CASINO_SECRET"] == "casino-secret"


def test_the_second_pair_has_ports_secrets_and_files_of_its_own() -> None:
    first, second = two_pairs(from_environment({"CASINO_SECRET": "x" * 32, "STACK_STATE_DIR": "/state"}), {})
    assert (dict(second.ports), dict(second.ops_ports)) == (
        {"casino": 8010, "provider": 8110}, {"casino": 8011, "provider": 8111},
    )  # fmt: skip
    assert second.base["PROVIDER_URL"] == "http://127.0.0.1:8110"
    for service in ("casino", "provider"):
        seen = [pair.environment(service, database_url="") for pair in (first, second)]
        differing = {name for name in seen[0] if seen[0][name] != seen[1][name]}
        files = {f"{service.upper()}_{'PROVIDERS' if service == 'casino' else 'CASINOS'}_FILE"}
        files |= {"CASINO_KEYS_FILE", "PROVIDER_KEYS_FILE"}
        assert differing - {f"{name.upper()}_{kind}" for name in ("casino", "provider") for kind in (
            "PORT", "OPS_PORT", "URL", "SECRET")} == files  # fmt: skip


def test_every_service_of_two_pairs_knows_both_peers_under_keys_that_are_never_shared() -> None:
    urls = {(service, pair): f"http://{service}-{pair}" for service in ("casino", "provider") for pair in (1, 2)}
    [studio], [casino] = peers_of("casino", 1, urls), peers_of("provider", 2, urls)
    assert (studio["url"], casino["url"]) == ("http://provider-2", "http://casino-1")
    assert (studio["keys"], studio["casinoCode"]) == (casino["keys"], casino["id"]), "what one says, the other says"
    entries = [*peers_of("casino", 1, urls), *peers_of("casino", 2, urls)]
    keys = [key for entry in entries for direction in entry["keys"].values() for key in direction]
    published = [*DEMO_SECRETS.values(), *DEMO_SECRETS_2.values(), *(key["secret"] for key in keys)]
    assert len(set(published)) == 8


@pytest.mark.parametrize(
    "environ",
    [
        {"CASINO_DEMO": "0"},
        {"CASINO_DATABASE_URL": "postgresql://c"},
        {"PROVIDER_CASINOS_FILE": "/peers.json"},
        {"CASINO_2_PORT": "8100"},
    ],
    ids=str,
)
def test_two_pairs_are_refused_where_they_would_not_work(environ: dict[str, str]) -> None:
    with pytest.raises(BadSettingError, match=next(iter(environ))):
        two_pairs(from_environment(environ), environ)
