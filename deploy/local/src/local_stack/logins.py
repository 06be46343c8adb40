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
        return (
            f"make the first owner with `make staff-create USERNAME=… ROLE=owner`; pages: {url}/ for players,"
            f" {url}/desk for agents and cashiers; all calls are at {url}/docs"
        )
    return (
        f"pages: {url}/ for players, {url}/desk for agent and cashier; log in as {NAMES} with the password {PASSWORD},"
        f" by program at {url}/api/v1/staff/login; all calls are at {url}/docs"
    )
