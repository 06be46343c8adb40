"""A service whose keys of a direction have all ended would refuse every call of it, and so does not start."""

import os
import subprocess
import sys

import pytest

ENDED = '[{"id":"main","notAfter":"2020-01-01T00:00:00Z"}]'
NOWHERE = "postgresql://nobody@127.0.0.1:1/x"


@pytest.mark.parametrize("side", ["CASINO", "PROVIDER"])
@pytest.mark.parametrize("service", ["casino", "provider"])
def test_a_start_without_a_live_key_is_refused_by_name(service: str, side: str) -> None:
    environment = {
        "PATH": os.environ["PATH"], "CASINO_DEMO": "1", "CASINO_DATABASE_URL": NOWHERE,
        "PROVIDER_DATABASE_URL": NOWHERE, "CASINO_PORT": "0", "PROVIDER_PORT": "0", "CASINO_OPS_PORT": "0",
        "PROVIDER_OPS_PORT": "0", f"{side}_KEYS": ENDED,
    }  # fmt: skip
    ended = subprocess.run(
        [sys.executable, "-m", service, "serve"], env=environment, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (1, "")
    assert len(ended.stderr.splitlines()) == 1
    assert f"{side}_KEYS" in ended.stderr
