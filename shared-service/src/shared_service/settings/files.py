"""Opens the files of secrets, keys, peers and certificates. Only regular ones: opening a pipe waits for its writer."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


class NotRegular(OSError):  # noqa: N818 - a judgement of a file, not a defect
    """The path names a pipe, a socket, a device or a folder."""


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading. Never waits for another process. Raises OSError, `NotRegular` among them."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotRegular(errno.EINVAL, "not a regular file")
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise
