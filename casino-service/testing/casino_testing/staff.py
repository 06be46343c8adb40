"""Staff in a test's own ledger, and the functions that judge them, called as SQL with a clock that the test sets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import psycopg
from psycopg.rows import dict_row

from casino_testing.api import Api
from casino_testing.service import login_url
from casino_testing.tenant import SET_CLOCK, Row, Tenant

NOON: Final = datetime(2026, 6, 1, 12, tzinfo=UTC)
ADDRESS: Final = "192.0.2.1"
RIGHT: Final = "hash of the right password"
WRONG: Final = None
JUDGE: Final = """
    select * from casino.judge_staff(
        %(ledger)s, %(action)s, %(username)s, %(verified)s, %(tenant)s, %(otp_sent)s, %(step)s, %(mac)s, 'request',
        %(address)s
    )
"""


PASSWORD: Final = "correct horse battery"
PASSWORD_HASH: Final = (
    "$argon2id$v=19$m=19456,t=2,p=1$yuy8ZayWyLcGxtSclqhUqQ$9//R1YWaLo1MzKYGTvqQqks/GTrqGf+Q36mxVRgYiUM"
)
"""A hash of PASSWORD: to hash it for each test would be slow."""


class StaffBooks:
    """The staff of one ledger. Calls run on `connection`: by default a superuser's, as if the login were nobody's."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        tenant.make_clock_settable()
        self.now = NOON
        self.set_clock(NOON)

    def set_clock(self, now: datetime) -> None:
        """What `casino.clock()` says on the superuser's connection."""
        self.now = now
        self.tenant.sql(SET_CLOCK, now.isoformat())

    def later(self, **by: float) -> None:
        """Let time pass."""
        self.set_clock(self.now + timedelta(**by))

    def add(
        self, username: str, role: str = "operator", tenant_id: str | None = None, *, password_hash: str = RIGHT
    ) -> str:
        """A member of staff, in the ledger's tenant unless another is named. Returns the id."""
        own = None if role == "owner" else tenant_id or self.tenant.tenant_id
        row = self.tenant.sql(
            "select casino.add_staff(%s, null, %s, %s, %s, %s) as id",
            self.tenant.ledger_id, username, password_hash, role, own,
        )[0]  # fmt: skip
        return str(row["id"])

    def judge(self, username: str, verified: str | None = RIGHT, **given: Any) -> Row:
        """Judges a login; `given` replaces what it sends."""
        return self.tenant.sql(JUDGE, self.judged(username, verified, **given))[0]

    def judged(self, username: str, verified: str | None = RIGHT, **given: Any) -> dict[str, Any]:
        """The parameters of JUDGE."""
        sent = {"action": "staff.login", "tenant": None, "otp_sent": False, "step": None, "mac": None}
        return (
            {"ledger": self.tenant.ledger_id, "username": username, "verified": verified, "address": ADDRESS}
            | sent
            | given
        )

    def refresh(self, family_id: str, number: int) -> tuple[str | None, int | None]:
        """Uses a refresh token. Returns the code and the number of the successor."""
        row = self.tenant.sql(
            "select * from casino.refresh_login(%s, %s, %s, 'request', %s)",
            self.tenant.ledger_id, family_id, number, ADDRESS,
        )[0]  # fmt: skip
        return row["o_code"], row["o_number"]

    def is_in(self, staff_id: str, family_id: str) -> bool:
        """Whether an access token of this login is taken."""
        return bool(
            self.tenant.sql("select * from casino.enter_staff(%s, %s, %s)", self.tenant.ledger_id, staff_id, family_id)
        )

    def audit(self, action: str) -> list[Row]:
        """The audit trail of one action, oldest first."""
        found = [row for row in self.tenant.rows("audit_trail") if row["action"] == action]
        return sorted(found, key=lambda row: int(row["audit_id"]))

    @contextmanager
    def session(self, scope: str | None = None) -> Iterator[psycopg.Connection[Row]]:
        """A connection of the login that serves, in a transaction with a tenant's view, which is rolled back."""
        with psycopg.connect(
            login_url(self.tenant.url), row_factory=dict_row, options="-c role=casino_app"
        ) as connection:
            if scope is not None:
                connection.execute("select casino.see_tenant(%s, %s)", [self.tenant.ledger_id, scope])
            yield connection
            connection.rollback()


def add_member(api: Api, username: str, role: str = "operator", tenant_id: str | None = None) -> str:
    """A member of staff with PASSWORD, in the ledger's tenant unless another is named. Returns the id."""
    own = None if role == "owner" else tenant_id or api.tenant.tenant_id
    row = api.tenant.sql(
        "select casino.add_staff(%s, null, %s, %s, %s, %s) as id",
        api.tenant.ledger_id, username, PASSWORD_HASH, role, own,
    )[0]  # fmt: skip
    return str(row["id"])


async def log_in(api: Api, username: str, password: str = PASSWORD, **more: Any) -> httpx.Response:
    """POST /staff/login."""
    return await api.post("/staff/login", {"username": username, "password": password, **more})


async def tokens_of(api: Api, username: str, password: str = PASSWORD, **more: Any) -> tuple[str, str]:
    """Logs in; returns the access token and the refresh token."""
    answer = await log_in(api, username, password, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()["token"], answer.json()["refreshToken"]
