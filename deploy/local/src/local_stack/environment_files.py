"""Writes the files of a running stack: each service's environment, for its commands, further keys, and peers.

set -a; . .state/casino.env; set +a; casino --help
"""

import json
import os
import re
import shlex
from pathlib import Path

from local_stack.databases import ServiceUrls
from local_stack.peers import Urls, peers_of
from local_stack.settings import StackSettings

OF_A_SERVICE = re.compile(r"(CASINO|PROVIDER|LOG)_[A-Z0-9_]+")


def environment_file(settings: StackSettings, service: str) -> Path:
    return settings.state_dir / f"{settings.name_of(service)}.env"


def write_environment(settings: StackSettings, service: str, urls: ServiceUrls) -> None:
    """Write one NAME=value per line, quoted for a shell. Only this account can read the file."""
    environment = settings.environment(
        service,
        database_url=urls.database_url,
        owner_database_url=urls.owner_database_url,
        oversight_database_url=urls.oversight_database_url,
    )
    lines = [
        f"{name}={shlex.quote(value)}\n" for name, value in sorted(environment.items()) if OF_A_SERVICE.fullmatch(name)
    ]
    _write(environment_file(settings, service), "".join(lines))


def make_key_files(settings: StackSettings, service: str) -> None:
    """Write an empty list of further keys for each direction, and of further peers, unless the file exists."""
    files = [*settings.key_files(service).values(), *settings.peers_file(service).values()]
    for path in files:
        if not path.exists():
            _write(path, "[]\n")


def write_peers(settings: StackSettings, service: str, urls: Urls) -> None:
    """Write the file that adds the other pair's service, as it is for this start."""
    for path in settings.peers_file(service).values():
        _write(path, json.dumps(peers_of(service, settings.number, urls), indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    """Write the file atomically. Only this account can read it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    whole = path.with_name(f"{path.name}.new")
    whole.unlink(missing_ok=True)
    with os.fdopen(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    whole.replace(path)
