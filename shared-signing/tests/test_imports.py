"""The core of the library imports only the standard library."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROBE = """
import importlib, sys
before = set(sys.modules)
importlib.import_module(sys.argv[1])
roots = {name.partition(".")[0] for name in set(sys.modules) - before}
print(" ".join(sorted(roots - set(sys.stdlib_module_names) - {"shared_signing"})))
"""


@pytest.mark.parametrize("module", ["canonical", "keys", "nonces", "signer", "verifier"])
def test_a_module_of_the_core_imports_the_standard_library_only(module: str) -> None:
    probe = subprocess.run(
        [sys.executable, "-c", PROBE, f"shared_signing.{module}"],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    assert probe.stdout.strip() == ""
