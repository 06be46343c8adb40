"""How a person logs in to the operator's platform of a local stack."""

from __future__ import annotations

from local_stack.settings import CASINO, StackSettings

STAFF = ("owner", "operator", "agent", "cashier")
"""As `casino seed-demo` makes them in demo mode."""
PASSWORD = "demo-password"  # noqa: S105 - published


NAMES = f"{', '.join(STAFF[:-1])} or {STAFF[-1]}"
WHERE_TO_LOG_IN = f"`make serve` starts a stack that stays: log in there as {NAMES} with the password {PASSWORD}"


def how_to_log_in(settings: StackSettings) -> str:
    """A sentence for the terminal."""
    url = settings.url(CASINO)
    if not settings.is_demo:
        return f"make the first owner with `make staff-create USERNAME=… ROLE=owner`; all calls are at {url}/docs"
    return f"log in at {url}/api/v1/staff/login as {NAMES} with the password {PASSWORD}; all calls are at {url}/docs"
