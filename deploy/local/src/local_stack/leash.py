"""Runs one program that cannot outlive the process that started it; optionally under another account.

Started as a script by `child.py`, becomes the program by exec, so the pid stays the same. Must import nothing but the
standard library: it runs with no site-packages, and as another account than the one that owns them.
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
    """Only Linux can promise this; elsewhere a parent that is killed leaves its children running."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def main(arguments: list[str]) -> None:
    signal_number, parent_pid, uid, gid = (int(word) for word in arguments[:4])
    program = arguments[4:]
    if uid != KEEP_ACCOUNT:
        become_account(uid, gid)
    die_with_parent(signal_number)  # after the change of account: the kernel forgets the wish when credentials change
    if os.getppid() != parent_pid:  # the parent died before the kernel knew of the wish
        sys.exit(EXIT_ORPHANED)
    os.execv(program[0], program)  # noqa: S606 -- the caller names an absolute path


if __name__ == "__main__":
    main(sys.argv[1:])
