"""How hypothesis draws examples: the same few each time, with NIGHTLY=1 new ones and ten times as many.

A conftest loads the profile. A test says no number of its own.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from shared_service_testing.sampling import IS_NIGHTLY

settings.register_profile(
    "sampled",
    max_examples=500 if IS_NIGHTLY else 50,
    derandomize=not IS_NIGHTLY,
    database=None,
    deadline=None,  # on a busy machine any example can take long
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def load_profile() -> None:
    """Let every test of this run draw so."""
    settings.load_profile("sampled")
