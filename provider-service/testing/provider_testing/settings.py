"""Valid settings, and the faults that the provider reports for others."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from provider.settings import Settings, SettingsRefused

STRONG = "0c5e1a94f7d2836b98e0a7d3c41f6b25"
OTHER = "7b20f9d6e8a1435c6d93b0f8215ea47c"
THIRD = "39a6d1f05c7be824f21c8b50e96d73a4"
FOURTH = "c41d97e2b05a6f83d9127be4605f8ac3"
FIFTH = "5f0b8d3197ce62a4e8d1436bf07a92c5"
URL = "postgresql://somebody:a-database-password@db/provider"
SIXTH = "d82c5e1f7a094b63e1c70d94b25fa386"
GOOD = {
    "PROVIDER_DATABASE_URL": URL, "CASINO_SECRET": STRONG, "PROVIDER_SECRET": OTHER, "PROVIDER_SEALING_KEY": SIXTH,
}  # fmt: skip


def problems_of(**changed: str) -> list[str]:
    with pytest.raises(SettingsRefused) as refused:
        Settings.from_environment(GOOD | changed)
    return str(refused.value).splitlines()


def named_in(problems: Iterable[str]) -> list[set[str]]:
    """The settings that each sentence names."""
    return [set(re.findall(r"\b(?:CASINO|PROVIDER|LOG)_[A-Z_]+\b", problem)) for problem in problems]
