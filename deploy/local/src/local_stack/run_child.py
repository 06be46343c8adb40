"""Runs one program that ends with the process that started it, optionally under another account.

`child.py` starts this file as a script. It becomes the program by exec, so the pid stays the same. It imports only the
standard library, because it runs without site-packages.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
EXIT_ORPHANED = 75
KEEP_ACCOUNT = -1


def become_account(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def die_with_parent(signal_number: int) -> None:
    """Ask the kernel for a signal when the parent ends. Linux only; elsewhere children of a killed parent go on."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def main(arguments: list[str]) -> None:
    signal_number, parent_pid, uid, gid = (int(word) for word in arguments[:4])
    program = arguments[4:]
    if uid != KEEP_ACCOUNT:
        become_account(uid, gid)
    die_with_parent(signal_number)  # after the change of account, because the kernel clears the setting then
    if os.getppid() != parent_pid:  # the parent ended before prctl
        sys.exit(EXIT_ORPHANED)
    os.execv(program[0], program)  # noqa: S606 -- the caller names an absolute path


if __name__ == "__main__":
    main(sys.argv[1:])
