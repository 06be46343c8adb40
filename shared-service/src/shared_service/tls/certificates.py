"""The certificate that a service serves with, read again when its files change."""

from __future__ import annotations

import datetime as dt
import ssl
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

import structlog

from shared_service.settings.values import Unfit, content_of
from shared_service.tls.contexts import Identity, load_identity

log = structlog.get_logger()

LOOK_SECONDS: Final = 1.0
"""Pause between two reads of the files."""


class Certificate:
    """The certificate and key of the public listener.

    If the files change to an unusable pair, the last good pair stays in use. Open connections keep theirs.
    """

    def __init__(
        self,
        cert: Path,
        key: Path,
        *,
        observe: Callable[[float], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises OSError or ValueError for an unusable pair. `observe` is called with the expiry in epoch seconds."""
        self._files = (cert, key)
        self._observe = observe
        self._clock = clock
        self._seen = self._digest()
        self._refused: tuple[bytes, str] | None = None
        self._identity = load_identity(cert, key)
        observe(self._identity.expires_at)
        if not self._identity.is_valid_at(clock()):
            # The service still starts: a proxy in front of it may not verify the dates.
            log.error("certificate_not_valid_now", file=str(cert), **_told(self._identity))

    @property
    def context(self) -> ssl.SSLContext:
        """The TLS context for the next handshake."""
        return self._identity.context

    async def step(self) -> bool:
        """Use the pair that is now in the files, if it is usable. The step of a loop; always returns False."""
        digest = b""
        try:
            digest = self._digest()
            if digest == self._seen:
                self._refused = None
                return False
            identity = load_identity(*self._files)
            if not identity.is_valid_at(self._clock()):
                raise Unfit("is not valid at this time")
        except (OSError, ValueError) as error:
            refused = (digest, _why(error))
            if refused != self._refused:
                log.error("certificate_refused", why=refused[1])
            self._refused = refused
            return False
        self._identity, self._seen, self._refused = identity, digest, None
        self._observe(identity.expires_at)
        log.info("certificate_changed", **_told(identity))
        return False

    def _digest(self) -> bytes:
        # Read before the pair is loaded. A change in between is then found by the next step.
        return sha256("\0".join(content_of(file) for file in self._files).encode()).digest()


def _why(error: Exception) -> str:
    if isinstance(error, Unfit):
        return str(error)
    return getattr(error, "reason", None) or type(error).__name__


def _told(identity: Identity) -> dict[str, str]:
    moments = {"valid_from": identity.valid_from, "expires_at": identity.expires_at}
    return {name: dt.datetime.fromtimestamp(moment, dt.UTC).isoformat() for name, moment in moments.items()}
