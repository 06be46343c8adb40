"""What the local stack takes from the environment, and the environment that it gives to each service.

Reads the environment once; starts nothing. A service never gets the other's database address.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_stack.ports import HOST, free_port

CASINO, PROVIDER = "casino", "provider"
SERVICES = (CASINO, PROVIDER)
DEFAULT_PORTS = {CASINO: 8000, PROVIDER: 8100}
DEFAULT_OPS_PORTS = {CASINO: 8001, PROVIDER: 8101}
DEMO_SECRETS = {CASINO: "casino-secret", PROVIDER: "provider-secret"}
DEFAULT_STATE_DIR = ".state"
DEMO_FLAG = "CASINO_DEMO"
PORT_MAX = 65_535


class BadSettingError(ValueError):
    """A variable of the environment that cannot be used; the text names it."""


@dataclass(frozen=True, slots=True)
class StackSettings:
    """Everything that distinguishes one stack from another."""

    state_dir: Path
    ports: Mapping[str, int]
    ops_ports: Mapping[str, int]
    base: Mapping[str, str]  # what both services see

    def url(self, service: str) -> str:
        return f"http://{HOST}:{self.ports[service]}"

    def given_database_url(self, service: str, *, owner: bool = False) -> str | None:
        middle = "_OWNER" if owner else ""
        return self.base.get(f"{service.upper()}{middle}_DATABASE_URL") or None

    def environment(self, service: str, *, database_url: str, owner_database_url: str | None = None) -> dict[str, str]:
        """The owner's address only for a migration: what serves the public never holds it."""
        environment = {name: value for name, value in self.base.items() if not name.endswith("_DATABASE_URL")}
        environment[f"{service.upper()}_DATABASE_URL"] = database_url
        if owner_database_url:
            environment[f"{service.upper()}_OWNER_DATABASE_URL"] = owner_database_url
        return environment


def from_environment(environ: Mapping[str, str]) -> StackSettings:
    """The stack of `serve`: ports, secrets, databases and state folder as the environment says."""
    ports = {service: _port(environ, f"{service.upper()}_PORT", DEFAULT_PORTS[service]) for service in SERVICES}
    ops_ports = {
        service: _port(environ, f"{service.upper()}_OPS_PORT", DEFAULT_OPS_PORTS[service]) for service in SERVICES
    }
    chosen = [*ports.values(), *ops_ports.values()]
    if twice := [port for port in chosen if chosen.count(port) > 1]:
        raise BadSettingError(f"port {twice[0]} is chosen twice: see CASINO_PORT, PROVIDER_PORT and their _OPS_PORT")
    state_dir = Path(environ.get("STACK_STATE_DIR") or DEFAULT_STATE_DIR).resolve()
    return StackSettings(state_dir, ports, ops_ports, _base(environ, ports, ops_ports))


def hermetic(state_dir: Path) -> StackSettings:
    """The stack of `demo`: free ports, demo secrets, its own database, whatever the environment says."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("CASINO_", "PROVIDER_"))}
    ports = {service: free_port() for service in SERVICES}
    ops_ports = {service: free_port() for service in SERVICES}
    return StackSettings(state_dir.resolve(), ports, ops_ports, _base(environ, ports, ops_ports))


def _base(environ: Mapping[str, str], ports: Mapping[str, int], ops_ports: Mapping[str, int]) -> dict[str, str]:
    base = {"LOG_FORMAT": "console", "NO_COLOR": "1", **environ, "PYTHONUNBUFFERED": "1"}
    base.setdefault(DEMO_FLAG, "1")
    for service in SERVICES:
        base[f"{service.upper()}_PORT"] = str(ports[service])
        base[f"{service.upper()}_OPS_PORT"] = str(ops_ports[service])
        base.setdefault(f"{service.upper()}_URL", f"http://{HOST}:{ports[service]}")
        if base[DEMO_FLAG] == "1":
            base.setdefault(f"{service.upper()}_SECRET", DEMO_SECRETS[service])
    return base


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    word = environ.get(name) or str(default)
    if not word.isdecimal() or not 0 < int(word) <= PORT_MAX:
        raise BadSettingError(f"{name} is a port number between 1 and {PORT_MAX}, not {word!r}")
    return int(word)
