"""The files of the games."""

from importlib.resources import files
from typing import Final

SLOTS: Final = ("SLOTS_001", "SLOTS_002")
"""Slots that can be played: each has a file, and a PAR sheet beside it."""


def data_file(name: str) -> bytes:
    """The content of a game's file or sheet."""
    return (files("provider.games.slots") / "data" / name).read_bytes()
