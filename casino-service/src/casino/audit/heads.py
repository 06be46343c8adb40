"""Reads recorded heads: JSON lines, as `provider heads` prints them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec

from casino.audit.snapshot import CannotRead
from shared_service.settings.files import open_regular

HEADS_PER_BATCH: Final = 1_000
LINE_MAX_BYTES: Final = 4_096


class RecordedHead(msgspec.Struct, frozen=True, rename="camel"):
    """A position in a player's hash chain, from a signed answer."""

    user_id: str
    sequence: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
    hash: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    transaction_id: str
    casino_code: str | None = None


_decode = msgspec.json.Decoder(RecordedHead).decode


def batches_of_heads(path: Path) -> Iterator[list[RecordedHead]]:
    """Yields the file's heads in batches. Raises CannotRead, with the number of a malformed line."""
    batch: list[RecordedHead] = []
    try:
        with open_regular(path) as lines:
            number = 0
            while line := lines.readline(LINE_MAX_BYTES):
                number += 1
                if line.isspace():
                    continue
                batch.append(_read(line, number))
                if len(batch) == HEADS_PER_BATCH:
                    yield batch
                    batch = []
    except OSError as error:
        raise CannotRead(f"the heads cannot be read: {error.strerror}") from None
    if batch:
        yield batch


def _read(line: bytes, number: int) -> RecordedHead:
    try:
        return _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise CannotRead(f"line {number} of the heads is not one: userId, sequence, hash, transactionId") from None
