"""TLS contexts for serving and for calls. See docs/secrets.md, "TLS".

The environment changes nothing here. Calls trust the system's authorities unless a file of authorities is given.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared_service.settings.files import open_regular

PROTOCOL: Final = "http/1.1"
AUTHORITIES_MAX_BYTES: Final = 65_536
CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2: forward secrecy and authenticated encryption. All ciphers of TLS 1.3 have both."""
_NO_CHECK_TIME: Final = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME. Python has no name for it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A TLS context with certificate and key, and the certificate's dates in epoch seconds."""

    context: ssl.SSLContext
    valid_from: float
    expires_at: float

    def is_valid_at(self, now: float) -> bool:
        """Returns whether the certificate's dates include `now` (epoch seconds)."""
        return self.valid_from <= now <= self.expires_at


def load_identity(cert: Path, key: Path) -> Identity:
    """Load a certificate with its chain, and its key.

    Raises OSError or ValueError for a pair that no caller would accept. Does not check the dates.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _restrict(context)
    context.options |= ssl.OP_NO_RENEGOTIATION
    # Without a password function, OpenSSL would ask for the password at the terminal.
    context.load_cert_chain(cert, key, password=lambda: "")
    presented = _presented(context, cert)
    valid_from, expires_at = (ssl.cert_time_to_seconds(str(presented[name])) for name in ("notBefore", "notAfter"))
    return Identity(context, valid_from, expires_at)


def client_context(ca_file: Path | None) -> ssl.SSLContext:
    """The context for calls. Verifies certificate and host name, by the authorities in `ca_file` or the system's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _restrict(context)
    if ca_file is None:
        context.load_default_certs()
    else:
        with open_regular(ca_file) as file:
            trust(context, file.read(AUTHORITIES_MAX_BYTES).decode())
    return context


def client_context_for(url: str, ca_file: Path | None) -> ssl.SSLContext | bool:
    """The `verify` argument of an HTTP client for calls to `url`. Loads authorities only for https, to save time."""
    return client_context(ca_file) if url.startswith("https:") else True


@contextmanager
def without_system_authorities() -> Iterator[None]:
    """Context manager: a context that a library makes in the block trusts nobody, and is made without reading files."""

    def trust_nobody(context: ssl.SSLContext) -> None:
        """Do nothing."""

    setattr(ssl.SSLContext, "set_default_verify_paths", trust_nobody)  # noqa: B010 - a method of its base class
    try:
        yield
    finally:
        delattr(ssl.SSLContext, "set_default_verify_paths")


def trust(context: ssl.SSLContext, pem: str) -> None:
    """Trust the certificates in a text. Raises OSError when there are none."""
    # Comments between them may have any characters; the module takes ASCII.
    context.load_verify_locations(cadata=pem.encode("ascii", "replace").decode())


def _restrict(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols([PROTOCOL])


def _presented(context: ssl.SSLContext, cert: Path) -> dict[str, object]:
    """Returns the certificate from a handshake in memory: the ssl module has no other way to parse one."""
    caller = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    caller.check_hostname = False
    caller.verify_flags |= ssl.VerifyFlags(ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME)
    with open_regular(cert) as file:
        trust(caller, file.read(AUTHORITIES_MAX_BYTES).decode())
    to_server, to_caller = ssl.MemoryBIO(), ssl.MemoryBIO()
    calling = caller.wrap_bio(to_caller, to_server)
    serving = context.wrap_bio(to_server, to_caller, server_side=True)
    for end in (calling, serving, calling):
        with suppress(ssl.SSLWantReadError):
            end.do_handshake()
    return dict(calling.getpeercert() or {})
