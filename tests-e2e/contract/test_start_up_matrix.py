"""Every variable of both services, empty, blank, malformed, extreme or against another: the start serves or explains.

In process, through the readers that the services start with. test_real_starts.py starts one of each kind.
"""

import os
import re
from pathlib import Path

import httpx
import pytest

import casino.app
import provider.app
from e2e_testing.setting_cases import (
    BASES,
    OTHER,
    STRONG,
    TAKEN,
    THIRD,
    kinds,
    outcome,
    random_values,
    refused_values,
)
from shared_service_testing.sampling import IS_NIGHTLY, SEED, sampled

SERVICES = ("casino", "provider")
KINDS = {service: kinds(service) for service in SERVICES}
EVERY = [(service, name) for service in SERVICES for name in sorted(KINDS[service])]
PAIRED = re.compile(r"_TLS_(CERT|KEY)_FILE$")
BLANKS = ("", " ", "\t", "\n", " \r\n ", "\u3000")
RANDOM_VALUES = 2_000 if IS_NIGHTLY else 40
SENTENCE = re.compile(r"(CASINO|PROVIDER|LOG)_[A-Z_]+ ?[ -~]*")

ADDRESSES = [(service, name) for service, name in EVERY if KINDS[service][name] in ("service_url", "page_url")]
FROM_FILES = [(service, name) for service, name in EVERY if f"{name}_FILE" in KINDS[service]]
SAMPLE = 24
"""Of the variables: those whose test repeats one rule of the reader, whatever the variable is."""

each_variable = pytest.mark.parametrize(("service", "name"), EVERY)


def base(service: str, name: str = "") -> dict[str, str]:
    """Good settings; without the value whose file `name` is, for both are not taken."""
    return {each: value for each, value in BASES[service].items() if name != f"{each}_FILE"}


def refusals(service: str, changes: dict[str, str]) -> list[str]:
    """The sentences of a start that is refused; none of them shows a value."""
    found = outcome(service, base(service, next(iter(changes))) | changes)
    assert found.settings is None, f"{service} starts with {changes!r}"
    for sentence in found.problems:
        assert SENTENCE.fullmatch(sentence), sentence
        for value in changes.values():
            assert len(value) < 8 or value not in sentence, "a value is shown"
    return found.problems


def allowed(service: str, name: str) -> list[str]:
    """Values that are taken, the ends of the allowed range among them: the refusal of a wrong value names it."""
    sentence = next((each for each in outcome(service, base(service) | {name: "?"}).problems), "")
    if found := re.search(r" from ([0-9.]+) to ([0-9.]+)$", sentence):
        return [found[1], found[2]]
    if found := re.search(r" must be one of ([a-z, ]+)$", sentence):
        return [word.upper() for word in found[1].split(", ")]
    return TAKEN[KINDS[service][name]]


@pytest.mark.parametrize(("service", "name"), sampled(EVERY, SAMPLE))
def test_an_empty_or_blank_variable_means_its_default(service: str, name: str) -> None:
    without = {each: value for each, value in base(service).items() if each != name}
    expected = outcome(service, without)
    for blank in BLANKS:
        found = outcome(service, without | {name: blank})
        assert (found.settings, found.problems) == (expected.settings, expected.problems), repr(blank)


@each_variable
def test_a_malformed_value_is_refused_by_name_and_not_shown(service: str, name: str) -> None:
    for value in refused_values(KINDS[service][name]):
        sentences = refusals(service, {name: value})
        assert len(sentences) == 1, (value[:50], sentences)
        assert sentences[0].startswith((f"{name} ", f"{name}, key ")), (value[:50], sentences)


@each_variable
def test_a_value_at_the_end_of_its_range_is_taken_with_blanks_around_it(service: str, name: str) -> None:
    kind = KINDS[service][name]
    for value in allowed(service, name):
        changes = {name: value}
        if name in {"CASINO_DEMO", "PROVIDER_DEMO"}:
            changes = {"CASINO_DEMO": value} if service == "casino" else {"CASINO_DEMO": value, "PROVIDER_DEMO": value}
        found = outcome(service, base(service) | changes)
        assert found.problems == [], value
        if kind != "secret":
            blanks = {each: f" {given}\n" for each, given in changes.items()}
            assert outcome(service, base(service) | blanks).settings == found.settings, value


@pytest.mark.parametrize(("service", "name"), ADDRESSES)
def test_what_an_address_becomes_is_one_that_the_client_can_call(service: str, name: str) -> None:
    for value in TAKEN[KINDS[service][name]]:
        settings = outcome(service, base(service) | {name: value}).settings
        address = settings.casino_url if service == "provider" else settings.game_url
        assert httpx.URL(address).scheme in ("http", "https")
        assert httpx.URL(address).host


@pytest.mark.parametrize(("service", "name"), sampled(EVERY, SAMPLE, seed=f"{SEED}/random"))
def test_random_text_is_taken_or_refused_by_name(service: str, name: str) -> None:
    for value in random_values(f"{service} {name}", RANDOM_VALUES):
        found = outcome(service, base(service, name) | {name: value})
        if found.problems:
            assert all(SENTENCE.fullmatch(sentence) for sentence in found.problems), (value, found.problems)
            own = name.removesuffix("_FILE")
            told = [each for each in found.problems if each.startswith(own) or f"and {own} must differ" in each]
            assert told, (value, found)


@pytest.mark.parametrize(("service", "name"), FROM_FILES)
def test_a_value_and_a_file_for_it_are_refused_together(service: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "value").write_text("[]")
    given = base(service).get(name, "[]" if name.endswith("_KEYS") else TAKEN[KINDS[service][name]][0])
    assert refusals(service, {name: given, f"{name}_FILE": str(tmp_path / "value")}) == [
        f"{name} and {name}_FILE are both set: choose one"
    ]


@pytest.mark.parametrize(("service", "name"), [each for each in FROM_FILES if not each[1].endswith("_KEYS")])
def test_a_value_from_a_file_is_the_value_without_its_last_line_break(service: str, name: str, tmp_path: Path) -> None:
    source = f"{name}_FILE"
    value = base(service).get(name, TAKEN[KINDS[service][name]][0])
    without = {each: given for each, given in base(service).items() if each != name}
    expected = outcome(service, without | {name: value})
    for end in ("", "\n", "\r\n"):
        (tmp_path / "value").write_bytes(f"{value}{end}".encode())
        found = outcome(service, without | {source: str(tmp_path / "value")})
        noted = [note for note in found.notes if note.startswith(f"{source} ")]
        assert found.settings is not None, found.problems
        assert _bare(found.settings) == _bare(expected.settings)
        assert bool(noted) == (end != "" and KINDS[service][name] == "secret")
    (tmp_path / "value").write_bytes(b"\xff" * 40)
    assert refusals(service, {name: "", source: str(tmp_path / "value")}) == [
        f"{source} names a file that is not UTF-8"
    ]
    os.mkfifo(tmp_path / "pipe")
    assert refusals(service, {name: "", source: str(tmp_path / "pipe")}) == [
        f"{source} names something that is not a regular file"
    ]


def _bare(settings: object) -> dict[str, object]:
    return {name: getattr(settings, name) for name in settings.__dataclass_fields__ if name != "notes"}  # type: ignore[attr-defined]


CONTRADICTIONS = [
    ("casino", "CASINO_SECRET", {"CASINO_SECRET": STRONG, "PROVIDER_SECRET": STRONG}),
    ("provider", "CASINO_SECRET", {"CASINO_SECRET": STRONG, "PROVIDER_SECRET": STRONG}),
    ("casino", "CASINO_SECRET", {"PROVIDER_KEYS": f'[{{"id":"k2","secret":"{STRONG}"}}]'}),
    ("provider", "CASINO_KEYS, key k2,", {"CASINO_KEYS": f'[{{"id":"k2","secret":"{OTHER}"}}]'}),
    ("casino", "CASINO_SECRET", {"CASINO_ACCESS_TOKEN_SECRET": STRONG}),
    ("casino", "PROVIDER_SECRET", {"CASINO_ACCESS_TOKEN_KEYS": f'[{{"id":"k2","secret":"{OTHER}"}}]'}),
    ("casino", "CASINO_ACCESS_TOKEN_SECRET", {"CASINO_ACCESS_TOKEN_SECRET": ""}),
    ("casino", "CASINO_PEPPER", {"CASINO_PEPPER": ""}),
    ("casino", "PROVIDER_SECRET", {"CASINO_PEPPER": OTHER}),
    ("provider", "PROVIDER_SECRET", {"PROVIDER_SEALING_KEY": OTHER}),
    ("casino", "CASINO_PORT", {"CASINO_PORT": "9000", "CASINO_OPS_PORT": "9000"}),
    ("casino", "CASINO_PORT", {"CASINO_HOST": "0.0.0.0", "CASINO_PORT": "8001"}),
    ("provider", "PROVIDER_PORT", {"PROVIDER_PORT": "9000", "PROVIDER_OPS_PORT": "9000"}),
    ("provider", "PROVIDER_DEMO", {"PROVIDER_DEMO": "0", "CASINO_DEMO": "yes"}),
    ("provider", "PROVIDER_DEMO", {"PROVIDER_DEMO": "on", "CASINO_DEMO": "off"}),
    ("casino", "CASINO_DEMO", {"PROVIDER_DEMO": "0", "CASINO_DEMO": "yes"}),
    ("casino", "CASINO_DEMO", {"PROVIDER_DEMO": "on", "CASINO_DEMO": "off"}),
    ("casino", "CASINO_TLS_CERT_FILE", {"CASINO_TLS_CERT_FILE": "/a"}),
    ("casino", "CASINO_TLS_KEY_FILE", {"CASINO_TLS_KEY_FILE": "/a"}),
    ("provider", "PROVIDER_TLS_CERT_FILE", {"PROVIDER_TLS_CERT_FILE": "/a", "PROVIDER_TLS_KEY_FILE": "/b"}),
]


@pytest.mark.parametrize(("service", "name", "changes"), CONTRADICTIONS)
def test_settings_that_contradict_each_other_are_refused(service: str, name: str, changes: dict[str, str]) -> None:
    (sentence,) = refusals(service, changes)
    assert sentence.startswith(f"{name} ")


def test_one_port_on_two_addresses_is_no_contradiction() -> None:
    changes = {"CASINO_HOST": "127.0.0.2", "CASINO_PORT": "9000", "CASINO_OPS_PORT": "9000"}
    assert outcome("casino", base("casino") | changes).problems == []


@pytest.mark.parametrize("service", SERVICES)
def test_everything_that_is_wrong_is_said_in_one_start(service: str) -> None:
    own = [name for name in KINDS[service] if not PAIRED.search(name) and not name.endswith(("_KEYS", "_FILE"))]
    environment = dict.fromkeys(own, "\x01")
    found = outcome(service, environment)
    assert sorted(sentence.split(" ")[0] for sentence in found.problems) == sorted(own)


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_platform_injects_changes_nothing_and_is_not_complained_of(service: str) -> None:
    upper = service.upper()
    injected = {
        f"{upper}_SERVICE_HOST": "10.0.0.1", f"{upper}_SERVICE_PORT": "8000", f"{upper}_SERVICE_PORT_HTTP": "8000",
        f"{upper}_PORT_8000_TCP": "tcp://10.0.0.1:8000", f"{upper}_PORT_8000_TCP_PROTO": "tcp",
        f"{upper}_PORT_8000_TCP_PORT": "8000", f"{upper}_PORT_8000_TCP_ADDR": "10.0.0.1",
        f"{upper}_SERVICE_SERVICE_HOST": "10.0.0.1", f"{upper}_POSTGRES_PORT": "tcp://10.0.0.2:5432",
        "PORT": "1", "HOST": "0.0.0.0", "HOSTNAME": "pod-1", "DEMO": "1", "DATABASE_URL": "postgresql://other/other",
    }  # fmt: skip
    assert outcome(service, base(service) | injected).settings == outcome(service, base(service)).settings


@pytest.mark.parametrize("name", ["CASINO_PORT", "PROVIDER_PORT", "CASINO_OPS_PORT", "PROVIDER_OPS_PORT"])
@pytest.mark.parametrize("value", ["tcp://10.0.0.1:8000", "udp://10.0.0.1:53", "TCP://[::1]:80"])
def test_the_port_of_a_kubernetes_service_is_not_a_port_to_listen_on(name: str, value: str) -> None:
    service = name.split("_", maxsplit=1)[0].lower()
    found = outcome(service, base(service) | {name: value})
    assert found.notes == [f"{name} is ignored: Kubernetes or Docker has set it for another service"]
    assert _bare(found.settings) == _bare(outcome(service, base(service)).settings)


@pytest.mark.parametrize("service", SERVICES)
def test_an_unknown_variable_of_ours_is_named_and_its_value_is_not(service: str) -> None:
    changes = {"CASINO_SECRT": "a-secret-value", "PROVIDER_ULR": "a-secret-value", "CASINO_\x1b": "x"}
    (note,) = outcome(service, base(service) | changes).notes
    assert note == r"these variables are unknown and ignored: CASINO_SECRT, CASINO_\x1b, PROVIDER_ULR"


def test_each_service_knows_the_variables_of_the_other() -> None:
    """One environment may serve both services: neither warns of what the other reads."""
    for service, other in (("casino", "provider"), ("provider", "casino")):
        # A blank variable means its default, and is still a name.
        environment = base(service) | {name: base(service).get(name, "") for name in KINDS[other]}
        assert outcome(service, environment).notes == []


@pytest.mark.parametrize("service", SERVICES)
def test_an_application_can_be_made_of_what_is_taken(service: str) -> None:
    create = casino.app.create_app if service == "casino" else provider.app.create_app
    create(outcome(service, base(service)).settings)
    for name, kind in KINDS[service].items():
        for value in allowed(service, name) if kind in ("service_url", "page_url", "identifier", "networks") else ():
            create(outcome(service, base(service) | {name: value}).settings)


def test_a_third_secret_is_no_contradiction() -> None:
    assert outcome("casino", base("casino") | {"CASINO_ACCESS_TOKEN_SECRET": THIRD}).problems == []
