"""No program of ours imports a module of the folder that it is started in, where anybody may have written one."""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from local_stack_testing.serving import clean_environment
from local_stack_testing.strangers import strangers
from shared_service_testing.sampling import paired, sampled

CHECKOUT = Path(__file__).parents[3]
SERVICES = ("casino", "provider")
UNSAFE_START = re.compile(r"""python[0-9.]*"?\)?"? -(?![PI]\b|-)""")
"""Python with another first option than -P or -I."""
SECONDS = 120


def run(command: Sequence[str | Path], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=clean_environment() | variables, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=SECONDS, check=False,
    )  # fmt: skip


def program_of(kind: str, service: str, parent: Path) -> Path:
    """What `.venv/bin` has under the service's name after the set-up of this size."""
    if kind == "complete":
        return Path(sys.executable).with_name(service)
    programs = parent / "bin"
    programs.mkdir()
    python = programs / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    shutil.copy(CHECKOUT / "deploy" / "command.sh", programs / service)
    for made in (python, programs / service):
        made.chmod(0o755)
    return programs / service


@pytest.mark.parametrize(("kind", "service"), paired(["runtime", "complete"], SERVICES))
def test_a_services_commands(kind: str, service: str, tmp_path: Path) -> None:
    program = program_of(kind, service, tmp_path)
    with strangers(tmp_path) as folder:
        helps = run([program, "--help"], folder)
        assert (helps.returncode, helps.stderr) == (0, ""), helps.stderr
        for command in ("serve", "migrate"):
            ended = run([program, command], folder, CASINO_DEMO="1")
            assert f"{service.upper()}_" in ended.stderr, "it says that it has no database's address"
            assert "Traceback" not in ended.stderr, ended.stderr


@pytest.mark.parametrize("module", ["local_stack", *sampled(["chaos", "saboteurs", "bench"], 1)])
def test_what_make_starts(module: str, tmp_path: Path) -> None:
    assert f"-P -m {module}" in (CHECKOUT / "Makefile").read_text()
    with strangers(tmp_path) as folder:
        ended = run([sys.executable, "-P", "-m", module, "--help"], folder)
        assert ended.returncode == 0, ended.stderr


def test_every_start_of_python_in_our_scripts_says_so() -> None:
    files = [CHECKOUT / "Makefile", *CHECKOUT.glob("deploy/**/*.sh")]
    assert len(files) > 5
    unsafe = [
        f"{file.relative_to(CHECKOUT)}: {line.strip()}"
        for file in files
        for line in file.read_text("utf-8").splitlines()
        if UNSAFE_START.search(line) and not line.startswith("#")
    ]
    assert unsafe == []
    pages = [CHECKOUT / "README.md", *CHECKOUT.glob("docs/*.md")]
    assert [page.name for page in pages if re.search(r"python3 -(?![PI]\b)", page.read_text("utf-8"))] == []


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_says_so_for_every_python_in_it(service: str) -> None:
    image = (CHECKOUT / f"{service}-service" / "Dockerfile").read_text("utf-8").rpartition("\nFROM ")[2]
    assert re.search(r"^ENV (.*\\\n)*.*\bPYTHONSAFEPATH=1\b", image, re.M)
