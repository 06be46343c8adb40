"""Random passwords of database logins, stored in files that only their owner can read."""

import os
import re
import secrets
from pathlib import Path

PASSWORD_BYTES = 24
ROLE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class Passwords:
    """Stores one file per login, and creates a password at its first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def file(self, user: str) -> Path:
        """The file of the login's password."""
        return self._folder / user

    def of(self, user: str) -> str:
        """The login's password. Raises OSError when its file cannot be read."""
        if not ROLE_NAME.fullmatch(user):
            raise ValueError(f"not a role name: {user!r}")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.file(user)
        candidate = self._folder / f".{user}.{secrets.token_hex(4)}"
        if not path.exists():
            descriptor = os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(PASSWORD_BYTES))
            try:
                os.link(candidate, path)  # link never replaces a file, so two processes get the same password
            except FileExistsError:
                pass
            finally:
                candidate.unlink()
        return path.read_text().strip()
