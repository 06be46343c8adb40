"""The configured keys of one direction, from the environment and from a mounted file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from shared_service.settings.files import NotRegular, open_regular
from shared_signing.keys import Key, KeyConfigurationError, parse_keys

KEYS_FILE_MAX_BYTES: Final = 65_536


def content_at(path: Path, *, bytes_max: int) -> bytes:
    """Returns the content of a mounted file of keys or peers. Raises `KeyConfigurationError`."""
    try:
        with open_regular(path) as file:
            content = file.read(bytes_max + 1)
    except NotRegular:
        raise KeyConfigurationError("the file is not a regular file") from None
    except OSError as error:
        raise KeyConfigurationError(f"the file cannot be read ({type(error).__name__})") from None
    if len(content) > bytes_max:
        raise KeyConfigurationError(f"the file is larger than {bytes_max} bytes")
    return content


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A mounted file with the newer keys of one direction, as `parse_keys` reads them, and the secret of `main`."""

    path: Path
    main_secret: str = field(repr=False)

    def read(self) -> bytes:
        """Returns the file's present content. Raises `KeyConfigurationError`."""
        return content_at(self.path, bytes_max=KEYS_FILE_MAX_BYTES)

    def parse(self, content: bytes) -> tuple[Key, ...]:
        """Returns the keys in the content of a file, `main` first. Raises `KeyConfigurationError`.

        Refuses an empty file, because a file is empty for a moment while it is written. `[]` means no further key.
        """
        if not content.strip():
            raise KeyConfigurationError("the file is empty; without further keys it holds []")
        try:
            text = content.decode()
        except UnicodeDecodeError:
            raise KeyConfigurationError("the file is not UTF-8") from None
        return tuple(parse_keys(self.main_secret, text))


@dataclass(frozen=True, slots=True)
class FileRefused:
    """A changed file that cannot be used. `why` names the rule and the key id, never a secret."""

    direction: str
    why: str


@dataclass(frozen=True, slots=True)
class Direction:
    """The configured keys of one direction. Its name is the service that verifies the requests."""

    name: str
    keys: tuple[Key, ...] = field(repr=False)
    file: KeyFile | None = None
