"""A disk that is too small: a size-limited tmpfs in a folder of the test, filled, and later made larger."""

import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from local_stack.account import server_account
from local_stack.cluster import give_to

COMMAND_SECONDS_MAX = 60
FILL_ATTEMPTS_MAX = 100


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """One mounted tmpfs. `folder` belongs to the account that runs Postgres."""

    mount_point: Path
    folder: Path

    def fill(self) -> None:
        """Leave no block. Postgres takes space at the same moment, and an allocation that is too large takes none."""
        with (self.mount_point / "ballast").open("ab") as ballast:
            for _ in range(FILL_ATTEMPTS_MAX):
                status = os.statvfs(self.mount_point)
                if status.f_bavail == 0:
                    return
                end = os.fstat(ballast.fileno()).st_size
                try:
                    os.posix_fallocate(ballast.fileno(), end, status.f_bavail * status.f_frsize)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
        raise AssertionError("the disk never was full")

    def enlarge(self, size_mib: int) -> None:
        """What an operator does at 3 a.m."""
        _command("mount", "-o", f"remount,size={size_mib}m", str(self.mount_point))


@contextmanager
def small_disk(size_mib: int) -> Iterator[SmallDisk]:
    """A disk of that size; skips where this account may not mount."""
    if os.geteuid() != 0:
        pytest.skip("needs root: a size-limited disk is a mount")
    # Below /var/tmp, because the account that runs Postgres cannot enter pytest's own folders.
    made = Path(tempfile.mkdtemp(prefix="small-disk-", dir="/var/tmp"))
    try:
        made.chmod(0o755)
        mount_point = made / "mount"
        mount_point.mkdir()
        try:
            _command("mount", "-t", "tmpfs", "-o", f"size={size_mib}m,mode=0755", "small-disk", str(mount_point))
        except (subprocess.CalledProcessError, FileNotFoundError):
            pytest.skip("this machine does not let anybody mount a tmpfs")
        try:
            folder = mount_point / "postgres"
            folder.mkdir(mode=0o700)
            give_to(server_account(), folder)
            yield SmallDisk(mount_point, folder)
        finally:
            _command("umount", "--lazy", str(mount_point))
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _command(*words: str) -> None:
    subprocess.run(words, check=True, timeout=COMMAND_SECONDS_MAX, capture_output=True)
