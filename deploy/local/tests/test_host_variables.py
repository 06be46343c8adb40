"""Variables that a host sets for every process change nothing: a service serves as documented whatever they hold.

Their names are found, not listed: what the installed libraries read from the environment, libpq's, Python's own and
the operating system's. CI starts one of the services with all of them at once, `NIGHTLY=1` both, and also with one at a
time.
"""

import os
import re
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from psycopg import pq

from local_stack_testing.service_start import DatabaseOf, demo_settings, prepare, run_to_its_end, started
from shared_service_testing.sampling import IS_NIGHTLY, paired

SERVICES = ("casino", "provider")
LIBRARIES = (
    "alembic", "anyio", "click", "httpcore", "httptools", "httpx", "msgspec", "prometheus_client", "psycopg",
    "psycopg_pool", "rich", "sqlalchemy", "starlette", "structlog", "uvicorn", "uvloop",
)  # fmt: skip
READ_BY_PYTHON_CODE = re.compile(r"""(?:environ(?:\.get|\.pop)?|getenv)[(\[]\s*["'](\w+)["']""")
OF_THE_SYSTEM = (
    "ALL_PROXY", "DATABASE_URL", "HOME", "HOSTNAME", "HTTPS_PROXY", "HTTP_PROXY", "LANG", "LANGUAGE", "LC_ALL",
    "LC_CTYPE", "LC_MESSAGES", "LC_NUMERIC", "LC_TIME", "LOGNAME", "NO_PROXY", "OPENSSL_CONF", "PORT",
    "REQUESTS_CA_BUNDLE", "SSLKEYLOGFILE", "SSL_CERT_DIR", "SSL_CERT_FILE", "TEMP", "TERM", "TMP", "TMPDIR", "TZ",
    "TZDIR", "USER", "UVICORN_FACTORY", "UVICORN_PORT", "UVICORN_WORKERS", "all_proxy", "http_proxy", "https_proxy",
    "no_proxy",
)  # fmt: skip
OF_OTHER_SERVICES = ("{}_PORT_8000_TCP", "{}_SERVICE_HOST", "{}_SERVICE_PORT", "{}_PORT_8000_TCP_ADDR")
LIBPQ_ALSO_READS = ("PGDATESTYLE", "PGGEQO", "PGSERVICEFILE", "PGSYSCONFDIR", "PGTZ", "PGREQUIRESSL", "PGREALM")
# Python ends at a malformed one before any code of ours runs: its values here are those that it takes.
OF_PYTHON = {
    "PYTHONASYNCIODEBUG": "1", "PYTHONCOERCECLOCALE": "0", "PYTHONDEBUG": "1", "PYTHONDEVMODE": "1",
    "PYTHONDONTWRITEBYTECODE": "1", "PYTHONFAULTHANDLER": "1", "PYTHONHASHSEED": "0", "PYTHONINTMAXSTRDIGITS": "640",
    "PYTHONIOENCODING": "ascii:strict", "PYTHONMALLOC": "debug", "PYTHONNODEBUGRANGES": "1", "PYTHONNOUSERSITE": "1",
    "PYTHONOPTIMIZE": "2", "PYTHONPYCACHEPREFIX": "/nonexistent", "PYTHONSAFEPATH": "1",
    "PYTHONSTARTUP": "/nonexistent", "PYTHONTRACEMALLOC": "1", "PYTHONUTF8": "0", "PYTHONWARNDEFAULTENCODING": "1",
    "LC_ALL": "C",
}  # fmt: skip
SLOW = {"PYTHONDEVMODE", "PYTHONMALLOC", "PYTHONOPTIMIZE", "PYTHONPYCACHEPREFIX", "PYTHONTRACEMALLOC"}
"""Under them Python compiles or traces everything: a start takes ten seconds of processor time, so NIGHTLY=1 alone."""
HOSTILE_VALUES = ("/nonexistent/x", "0", "-1", "", "x y=ş%&'\"", "tcp://203.0.113.9:8000", "true", "tr_TR.ISO-8859-9")


@cache
def names() -> tuple[str, ...]:
    found = {option.envvar.decode() for option in pq.Conninfo.get_defaults() if option.envvar}
    found |= {*OF_THE_SYSTEM, *LIBPQ_ALSO_READS}
    found |= {template.format(name) for template in OF_OTHER_SERVICES for name in ("CASINO", "PROVIDER", "POSTGRES")}
    for library in LIBRARIES:
        spec = find_spec(library)
        assert spec is not None
        for folder in spec.submodule_search_locations or ():
            for module in Path(folder).rglob("*.py"):
                found |= set(READ_BY_PYTHON_CODE.findall(module.read_text("utf-8")))
    return tuple(sorted(name for name in found if not name.startswith("PYTHON")))


def test_the_names_are_found() -> None:
    expected = {"WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS", "PROMETHEUS_MULTIPROC_DIR", "SSL_CERT_FILE", "PGHOSTADDR"}
    assert expected <= set(names())


VALUES = HOSTILE_VALUES if IS_NIGHTLY else HOSTILE_VALUES[:5:4]


def all_at_once() -> list[dict[str, str]]:
    of_python = {name: value for name, value in OF_PYTHON.items() if IS_NIGHTLY or name not in SLOW}
    return [*(dict.fromkeys(names(), value) for value in VALUES), of_python]


@pytest.mark.parametrize(("variables", "service"), paired(all_at_once(), SERVICES))
def test_a_service_serves_whatever_the_host_has_set(
    service: str, variables: dict[str, str], database_of: DatabaseOf, tmp_path: Path
) -> None:
    url = database_of(service)
    prepare(service, url, **variables)
    with started(service, url, tmp_path / "log", **variables) as running:
        assert running.answers("/metrics") == 200, running.said
        assert "Traceback" not in running.said


def test_an_ignored_variable_of_libpq_is_named(database_of: DatabaseOf) -> None:
    settings = demo_settings("casino", database_of("casino")) | {
        "PGSSLMODE": "verify-full",
        "PGHOSTADDR": "203.0.113.9",
    }
    done = run_to_its_end("casino", "migrate", settings)
    assert (done.returncode, done.stderr) == (
        0, "casino: ignored PGHOSTADDR, PGSSLMODE: CASINO_DATABASE_URL says how to connect\n"
    )  # fmt: skip


@pytest.mark.skipif(not IS_NIGHTLY, reason="a start for each variable: NIGHTLY=1")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("service", SERVICES)
def test_each_variable_alone_changes_nothing(service: str, database_of: DatabaseOf, tmp_path: Path) -> None:
    url = database_of(service)
    for index, name in enumerate(names()):
        value = HOSTILE_VALUES[index % len(HOSTILE_VALUES)]
        with started(service, url, tmp_path / "log", **{name: value}) as running:
            assert running.answers("/metrics") == 200, (name, value, running.said)


def test_without_a_folder_for_temporary_files_workers_end_with_a_sentence(
    database_of: DatabaseOf, tmp_path: Path
) -> None:
    """tempfile would take /tmp: here it is told of one folder, and that one is missing."""
    told = "import tempfile; tempfile.tempdir = '/nonexistent'; from casino.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", told, "serve", "--workers", "2"],
        env={"PATH": os.environ["PATH"]} | demo_settings("casino", database_of("casino")),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "set TMPDIR" in done.stderr
