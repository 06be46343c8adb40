"""Removes environment variables that only libraries read.

A platform sets some of them for each container. They would change a service in a way that its settings do not show.
This module imports only the standard library, because some libraries read their variables when they are imported.
"""

import multiprocessing
import re
from collections.abc import MutableMapping
from typing import Final

IGNORED: Final = re.compile(
    r"PSYCOPG_\w+|PROMETHEUS_\w+|prometheus_multiproc_dir|WEB_CONCURRENCY|FORWARDED_ALLOW_IPS"
    r"|SSLKEYLOGFILE|SSL_CERT_FILE|SSL_CERT_DIR"
)
OF_LIBPQ: Final = re.compile(r"PG[A-Z_]+")


def ignore(environment: MutableMapping[str, str]) -> list[str]:
    """Remove the variables. Returns the removed names of libpq, because an operator may have set them on purpose.

    Does nothing in a worker process, which has the environment of its supervisor.
    """
    if multiprocessing.parent_process() is not None:
        return []
    of_libpq = sorted(filter(OF_LIBPQ.fullmatch, environment))
    for name in (*of_libpq, *filter(IGNORED.fullmatch, list(environment))):
        del environment[name]
    return of_libpq
