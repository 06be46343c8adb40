"""Variables that a host sets for every process, and that only libraries would read: a service ignores them.

A platform sets some of them for each container. Nobody sees in a service's settings why it then behaves otherwise.
Imports only the standard library: some of the libraries read their variables as they are imported.
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
    """Remove variables that only libraries would read.

    Returns the names of libpq's that were removed: somebody may have meant them. Does nothing in a worker process,
    whose environment is its supervisor's.
    """
    if multiprocessing.parent_process() is not None:
        return []
    of_libpq = sorted(filter(OF_LIBPQ.fullmatch, environment))
    for name in (*of_libpq, *filter(IGNORED.fullmatch, list(environment))):
        del environment[name]
    return of_libpq
