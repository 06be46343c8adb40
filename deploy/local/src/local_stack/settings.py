"""Reads the stack's settings from the environment, and builds the environment of each service.

A stack has one pair of a casino and a provider, or two. No service gets the database URL of another.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from local_stack.ports import HOST, free_port

CASINO, PROVIDER = "casino", "provider"
SERVICES = (CASINO, PROVIDER)
DEFAULT_PORTS = {CASINO: 8000, PROVIDER: 8100}
DEFAULT_OPS_PORTS = {CASINO: 8001, PROVIDER: 8101}
PORTS_BETWEEN_PAIRS = 10
DEMO_SECRETS = {CASINO: "casino-secret", PROVIDER: "provider-secret"}
DEMO_SECRETS_2 = {CASINO: "casino-2-secret", PROVIDER: "provider-2-secret"}
PEERS_FILES = {CASINO: "CASINO_PROVIDERS_FILE", PROVIDER: "PROVIDER_CASINOS_FILE"}
DEFAULT_STATE_DIR = ".state"
DEMO_FLAG = "CASINO_DEMO"
YES = frozenset({"1", "true", "yes", "on"})
PORT_MAX = 65_535
EVERY_ADDRESS = {"0.0.0.0": HOST, "::": "::1"}  # noqa: S104 -- maps a wildcard to the address for requests


class BadSettingError(ValueError):
    """A variable has an unusable value. The text names the variable."""


@dataclass(frozen=True, slots=True)
class StackSettings:
    """The settings of one pair of a casino and a provider. `number` is 2 for the second pair of `--peers 2`."""

    state_dir: Path
    hosts: Mapping[str, str]
    ports: Mapping[str, int]
    ops_ports: Mapping[str, int]
    base: Mapping[str, str]  # the variables of both services
    number: int = 1
    has_peers: bool = False  # the other pair runs, too

    @property
    def is_demo(self) -> bool:
        """Whether the services are in demo mode."""
        return self.base[DEMO_FLAG].strip().lower() in YES

    def demo_secrets(self) -> dict[str, str]:
        """The variables that hold a published demo secret, and their values."""
        published = DEMO_SECRETS if self.number == 1 else DEMO_SECRETS_2
        secrets = {f"{service.upper()}_SECRET": published[service] for service in SERVICES}
        return {name: secret for name, secret in secrets.items() if self.base.get(name) == secret}

    def name_of(self, service: str) -> str:
        """The name of the service's files and log lines: casino, or casino-2."""
        return service if self.number == 1 else f"{service}-{self.number}"

    def url(self, service: str) -> str:
        return _url(self.base, service, self.hosts[service], self.ports[service])

    def ops_url(self, service: str) -> str:
        """The URL of the operations listener, which has no TLS."""
        return _plain_url(*self.listeners(service)[f"{service.upper()}_OPS"])

    def listeners(self, service: str) -> dict[str, tuple[str, int]]:
        """Host and port of each listener, by the prefix of its variables."""
        return {
            service.upper(): (self.hosts[service], self.ports[service]),
            f"{service.upper()}_OPS": (_host(self.base, service, "OPS_HOST"), self.ops_ports[service]),
        }

    def given_database_url(self, service: str, kind: str = "") -> str | None:
        """The address in the environment; `kind` is OWNER, OVERSIGHT or nothing."""
        return self.base.get(f"{service.upper()}_{kind}_DATABASE_URL".replace("__", "_")) or None

    def environment(
        self,
        service: str,
        *,
        database_url: str,
        owner_database_url: str | None = None,
        oversight_database_url: str | None = None,
    ) -> dict[str, str]:
        """The variables of a service. Pass the owner's URL only for a migration: a serving process must not have it."""
        environment = {name: value for name, value in self.base.items() if not name.endswith("_DATABASE_URL")}
        environment[f"{service.upper()}_DATABASE_URL"] = database_url
        if owner_database_url:
            environment[f"{service.upper()}_OWNER_DATABASE_URL"] = owner_database_url
        if oversight_database_url:
            environment[f"{service.upper()}_OVERSIGHT_DATABASE_URL"] = oversight_database_url
        return environment | {
            name: str(path) for name, path in {**self.key_files(service), **self.peers_file(service)}.items()
        }

    def key_files(self, service: str) -> dict[str, Path]:
        """A service's files of further keys by their variables, without the directions whose keys are given."""
        directions = [
            side for side in SERVICES if not self.base.keys() & {f"{side.upper()}_KEYS", f"{side.upper()}_KEYS_FILE"}
        ]
        folder = self.state_dir / "keys" / self.name_of(service)
        return {f"{side.upper()}_KEYS_FILE": folder / f"{side}.json" for side in directions}

    def peers_file(self, service: str) -> dict[str, Path]:
        """A service's file of further peers by its variable; empty when the environment names the file."""
        name = PEERS_FILES[service]
        if name in self.base:
            return {}
        folder = "two-peers" if self.has_peers else "peers"
        return {name: self.state_dir / folder / f"{self.name_of(service)}.json"}


def from_environment(environ: Mapping[str, str]) -> StackSettings:
    """The settings for `serve`. Raises BadSettingError."""
    environ = _with_databases_from_files({name: value for name, value in environ.items() if value.strip()})
    ports = {service: _port(environ, f"{service.upper()}_PORT", DEFAULT_PORTS[service]) for service in SERVICES}
    ops_ports = {
        service: _port(environ, f"{service.upper()}_OPS_PORT", DEFAULT_OPS_PORTS[service]) for service in SERVICES
    }
    chosen = [*ports.values(), *ops_ports.values()]
    if twice := [port for port in chosen if chosen.count(port) > 1]:
        raise BadSettingError(f"port {twice[0]} is chosen twice: see CASINO_PORT, PROVIDER_PORT and their _OPS_PORT")
    wanted = Path(environ.get("STACK_STATE_DIR", DEFAULT_STATE_DIR).strip())
    if any(character < " " or character == "\x7f" for character in str(wanted)):
        raise BadSettingError(f"STACK_STATE_DIR={str(wanted)!r} has a control character: name another folder")
    try:
        state_dir = wanted.resolve()
    except (OSError, RuntimeError) as error:  # such as a symbolic link to itself
        raise BadSettingError(f"the state folder {wanted} cannot be used ({error}): set STACK_STATE_DIR") from error
    hosts = {service: _host(environ, service) for service in SERVICES}
    return StackSettings(state_dir, hosts, ports, ops_ports, _base(environ, hosts, ports, ops_ports))


def two_pairs(first: StackSettings, environ: Mapping[str, str]) -> tuple[StackSettings, StackSettings]:
    """The settings of both pairs of `serve --peers 2`, for the demo only. Raises BadSettingError."""
    if not first.is_demo:
        raise BadSettingError(f"two pairs run in demo mode only, with published secrets: unset {DEMO_FLAG}, or PEERS")
    own = [name for name in first.base if name.endswith("_DATABASE_URL") or name in PEERS_FILES.values()]
    if own:
        raise BadSettingError(f"two pairs make their databases and their files of peers: unset {', '.join(own)}")
    ports, ops_ports = (
        {
            service: _port(environ, f"{service.upper()}_2{kind}_PORT", defaults[service] + PORTS_BETWEEN_PAIRS)
            for service in SERVICES
        }
        for kind, defaults in (("", DEFAULT_PORTS), ("_OPS", DEFAULT_OPS_PORTS))
    )
    chosen = [*first.ports.values(), *first.ops_ports.values(), *ports.values(), *ops_ports.values()]
    if twice := [port for port in chosen if chosen.count(port) > 1]:
        raise BadSettingError(f"port {twice[0]} is chosen twice: see CASINO_2_PORT, PROVIDER_2_PORT and _2_OPS_PORT")
    made = {f"{service.upper()}_{kind}" for service in SERVICES for kind in ("URL", "SECRET", "SECRET_FILE", "KEYS")}
    made |= {f"{service.upper()}_KEYS_FILE" for service in SERVICES}
    common = {name: value for name, value in first.base.items() if name not in made}
    secrets = {f"{service.upper()}_SECRET": DEMO_SECRETS_2[service] for service in SERVICES}
    base = _base(common | secrets, first.hosts, ports, ops_ports)
    second = StackSettings(first.state_dir, first.hosts, ports, ops_ports, base, number=2, has_peers=True)
    return replace(first, has_peers=True), second


def _with_databases_from_files(environ: dict[str, str]) -> dict[str, str]:
    for name in [f"{service.upper()}{middle}_DATABASE_URL" for service in SERVICES for middle in ("", "_OWNER")]:
        path = environ.pop(f"{name}_FILE", None)
        if path is not None:
            if name in environ:
                raise BadSettingError(f"{name} and {name}_FILE are both set: choose one")
            environ[name] = Path(path).read_text("utf-8").strip()
    return environ


def hermetic(state_dir: Path, *, pairs: int = 1) -> tuple[StackSettings, ...]:
    """The settings for `demo`: free ports, demo secrets and its own databases, independent of the environment."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("CASINO_", "PROVIDER_"))}
    ports = {service: free_port() for service in SERVICES}
    ops_ports = {service: free_port() for service in SERVICES}
    hosts = dict.fromkeys(SERVICES, HOST)
    first = StackSettings(state_dir.resolve(), hosts, ports, ops_ports, _base(environ, hosts, ports, ops_ports))
    if pairs == 1:
        return (first,)
    names = [f"{service.upper()}_2{kind}_PORT" for service in SERVICES for kind in ("", "_OPS")]
    return two_pairs(first, {name: str(free_port()) for name in names})


def service_url(environ: Mapping[str, str], service: str, *, pair: int = 1) -> str:
    """The URL for requests to a service of this pair on this machine."""
    name = f"{service.upper()}_PORT" if pair == 1 else f"{service.upper()}_{pair}_PORT"
    port = _port(environ, name, DEFAULT_PORTS[service] + PORTS_BETWEEN_PAIRS * (pair - 1))
    return _url(environ, service, _host(environ, service), port)


def authorities(environ: Mapping[str, str]) -> Path | None:
    """The authorities that a client of the casino trusts: those of the provider, which also calls it."""
    path = environ.get("PROVIDER_CA_FILE", "").strip()
    return Path(path) if path else None


def _url(environ: Mapping[str, str], service: str, host: str, port: int) -> str:
    plain = _plain_url(host, port)
    return plain.replace("http:", "https:") if environ.get(f"{service.upper()}_TLS_CERT_FILE", "").strip() else plain


def _plain_url(host: str, port: int) -> str:
    asked = EVERY_ADDRESS.get(host, host)
    return f"http://[{asked}]:{port}" if ":" in asked else f"http://{asked}:{port}"


def _host(environ: Mapping[str, str], service: str, name: str = "HOST") -> str:
    """The host without the brackets of an IPv6 address, as the service reads it."""
    return environ.get(f"{service.upper()}_{name}", "").strip().strip("[]") or HOST


def _base(
    environ: Mapping[str, str], hosts: Mapping[str, str], ports: Mapping[str, int], ops_ports: Mapping[str, int]
) -> dict[str, str]:
    of_one = {name: value for name, value in environ.items() if not name.startswith(("CASINO_2_", "PROVIDER_2_"))}
    base = {"LOG_FORMAT": "console", "NO_COLOR": "1", **of_one, "PYTHONUNBUFFERED": "1"}
    base.setdefault(DEMO_FLAG, "1")
    for service in SERVICES:
        base[f"{service.upper()}_PORT"] = str(ports[service])
        base[f"{service.upper()}_OPS_PORT"] = str(ops_ports[service])
        base[f"{service.upper()}_HOST"] = hosts[service]
        base.setdefault(f"{service.upper()}_URL", _url(environ, service, hosts[service], ports[service]))
        if base[DEMO_FLAG].strip().lower() in YES and f"{service.upper()}_SECRET_FILE" not in base:
            base.setdefault(f"{service.upper()}_SECRET", DEMO_SECRETS[service])
    return base


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    word = environ.get(name) or str(default)
    if not word.isdecimal() or not 0 < int(word) <= PORT_MAX:
        raise BadSettingError(f"{name} is a port number between 1 and {PORT_MAX}, not {word!r}")
    return int(word)
