"""The first `make demo` of a checkout: in any folder, under any account, twice at once, after a failed set-up.

Each test copies the checkout and sets it up, which takes a minute: with `NIGHTLY=1` only.
`.ci/run` begins with the first demo of its checkout.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_stack_testing.serving import clean_environment
from shared_service_testing.waiting import wait_until

CHECKOUT = Path(__file__).parents[3]
NOT_OF_THE_CHECKOUT = shutil.ignore_patterns(".venv*", ".state", ".git", "__pycache__", ".*_cache", ".hypothesis")
PASSED = "PASSED  final balance 1,001,000 USD"
SECONDS = 500
UNFINISHED = ".venv/.unfinished"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(os.environ.get("NIGHTLY") != "1", reason="makes an environment of its own: NIGHTLY=1"),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every account can enter, as a checkout of root must be."""
    made = Path(tempfile.mkdtemp(prefix="set-up-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def copy_to(place: Path) -> Path:
    shutil.copytree(CHECKOUT, place, ignore=NOT_OF_THE_CHECKOUT, symlinks=True)
    return place


def make(checkout: Path, target: str, *, umask: int = 0o022, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["make", "-C", checkout, target], env=clean_environment() | variables, umask=umask, cwd="/",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip


def said(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=SECONDS)
    return output


def require_passed(process: subprocess.Popen[str]) -> None:
    output = said(process)
    assert process.returncode == 0, output
    assert PASSED in output, output


def test_two_first_demos_at_once_with_a_closed_umask_in_a_folder_with_an_odd_name(folder: Path) -> None:
    """A third one runs after them and must still work."""
    private = folder / '100% of "it\'s" $HOME `id` #ü;&'
    private.mkdir(mode=0o700)
    checkout = copy_to(private / "a checkout")
    both = [make(checkout, "demo", umask=0o077, PYTHONWARNINGS="error", PYTHONHASHSEED="x", PIP_USER="1") for _ in "12"]
    for each in both:
        require_passed(each)
    require_passed(make(checkout, "demo"))


def test_a_closed_umask_where_everybody_can_enter(folder: Path) -> None:
    checkout = copy_to(folder / "checkout")
    require_passed(make(checkout, "demo", umask=0o077))
    require_passed(make(checkout, "demo"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("seconds", [0, 0.5, 2, 5, 10])
def test_a_set_up_that_was_cut_short_spoils_nothing(seconds: float, number: signal.Signals, folder: Path) -> None:
    checkout = copy_to(folder / "checkout")
    first = make(checkout, "demo")
    wait_until((checkout / UNFINISHED).exists, "the set-up has begun", seconds=SECONDS)
    time.sleep(seconds)
    os.killpg(first.pid, number)
    said(first)
    require_passed(make(checkout, "demo"))
    assert not (checkout / UNFINISHED).exists()


def test_a_set_up_whose_make_alone_was_killed_is_waited_for(folder: Path) -> None:
    checkout = copy_to(folder / "checkout")
    first = make(checkout, "demo")
    wait_until((checkout / UNFINISHED).exists, "the set-up has begun", seconds=SECONDS)
    first.kill()
    require_passed(make(checkout, "demo"))
    said(first)


@pytest.mark.parametrize("depth", [1, 12])
def test_a_checkout_behind_a_link_below_a_long_path(depth: int, folder: Path) -> None:
    deep = folder.joinpath(*["d" * 60] * depth)
    deep.mkdir(parents=True)
    copy_to(deep / "checkout")
    link = folder / "link"
    link.symlink_to(deep / "checkout")
    require_passed(make(link, "demo"))
    require_passed(make(deep / "checkout", "demo"))


def test_a_checkout_that_was_moved_still_works(folder: Path) -> None:
    require_passed(make(copy_to(folder / "before"), "demo"))
    (folder / "before").rename(folder / "after")
    require_passed(make(folder / "after", "demo"))


@pytest.mark.parametrize("variables", [{"HOME": ""}, {"TMPDIR": "/nonexistent"}, {"LC_ALL": "C"}, {"TZ": "x"}])
def test_the_demo_of_a_bare_environment(variables: dict[str, str], folder: Path) -> None:
    require_passed(make(copy_to(folder / "checkout"), "demo", **variables))
