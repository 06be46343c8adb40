"""Serves the files that pages load. Each has its hash in its name, so that browsers keep it for ever.

assets = Assets(folder_of("shared_service.pages"), folder_of("service.pages"))
assets.path("tokens.css")  # "/assets/tokens.0123456789abcdef.css"
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from shared_service.http.errors import ErrorTable, Refused
from shared_service.http.routing import PUBLIC, Route, route

BASE: Final = "/assets"
HASH_DIGITS: Final = 16
MEDIA_TYPES: Final[Mapping[str, str]] = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
HEADERS: Final[Mapping[str, str]] = {
    "cache-control": "public, max-age=31536000, immutable",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
}
# A module names another one so; the name is replaced by the hashed one.
_REFERENCE: Final = re.compile(rb'"\./([a-z0-9_]+\.js)"')


def folder_of(package: str) -> Path:
    """The folder of a package's files. The package is installed as files, not as an archive."""
    return Path(str(files(package)))


class Assets:
    """The files in the folders `assets` of some packages, in memory."""

    def __init__(self, *folders: Path) -> None:
        """Raises ValueError for two files of one name, an unknown kind of file, and modules that need each other."""
        self._sources: dict[str, bytes] = {}
        for folder in folders:
            for file in sorted((folder / "assets").iterdir()):
                if file.suffix not in MEDIA_TYPES or file.name in self._sources:
                    raise ValueError(f"{file} is of an unknown kind, or there is another one of this name")
                self._sources[file.name] = file.read_bytes()
        self._paths: dict[str, str] = {}
        self._bodies: dict[str, tuple[str, bytes]] = {}
        for name in self._sources:
            self._add(name, within=())

    def path(self, name: str) -> str:
        """The path of a file. Raises KeyError for one that does not exist."""
        return self._paths[name]

    def routes(self, errors: ErrorTable) -> list[Route]:
        """The route of all files."""

        async def get(request: Request) -> Response:
            found = self._bodies.get(request.path_params["asset"])
            if found is None:
                raise Refused("not_found")
            media_type, body = found
            return Response(body, media_type=media_type, headers=HEADERS)

        return [route("GET", f"{BASE}/{{asset}}", get, access=PUBLIC, errors=errors)]

    def _add(self, name: str, *, within: tuple[str, ...]) -> str:
        """Returns the hashed name of a file, after those of the modules that it imports."""
        if name in self._paths:
            return self._paths[name].removeprefix(f"{BASE}/")
        if name in within:
            raise ValueError(f"modules import each other: {', '.join((*within, name))}")
        body = _REFERENCE.sub(
            lambda found: b'"./%s"' % self._add(found[1].decode(), within=(*within, name)).encode(),
            self._sources[name],
        )
        stem, _, suffix = name.rpartition(".")
        hashed = f"{stem}.{sha256(body).hexdigest()[:HASH_DIGITS]}.{suffix}"
        self._paths[name] = f"{BASE}/{hashed}"
        self._bodies[hashed] = (MEDIA_TYPES[f".{suffix}"], body)
        return hashed
