"""A container's health check: asks the service on this machine whether it is ready.

    python -m shared_service.run.probe SERVICE 8000   # variables SERVICE_HOST and SERVICE_PORT; 8000 unless set

Exit status 0: ready; 1: not ready or no answer; 2: the settings are refused.
"""

from __future__ import annotations

import http.client
import ssl
import sys
from collections.abc import Mapping
from typing import Final

from shared_service.settings.reader import Reader

PATH: Final = "/health/ready"
TIMEOUT_SECONDS: Final = 2.0
OWN_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
"""The loopback address to call when a service listens on all addresses of a family."""


def is_ready(prefix: str, default_port: int, environment: Mapping[str, str] | None = None) -> bool:
    """Returns whether the service answers 200. Raises `SettingsRefused`."""
    reader = Reader(environment)
    host = reader.host(f"{prefix}_HOST", "127.0.0.1")
    port = reader.port(f"{prefix}_PORT", default_port)
    serves_tls = reader.path(f"{prefix}_TLS_CERT_FILE") is not None
    reader.check()
    address = OWN_ADDRESS.get(host, host)
    # The certificate names the service, not the loopback address.
    context = ssl._create_unverified_context()  # noqa: S323
    connection = (
        http.client.HTTPSConnection(address, port, timeout=TIMEOUT_SECONDS, context=context)
        if serves_tls
        else http.client.HTTPConnection(address, port, timeout=TIMEOUT_SECONDS)
    )
    try:
        connection.request("GET", PATH)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    try:
        sys.exit(0 if is_ready(sys.argv[1], int(sys.argv[2])) else 1)
    except ValueError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
