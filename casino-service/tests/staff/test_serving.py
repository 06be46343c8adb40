"""What staff add to the application: routes that name what they ask for, and a loop that forgets."""

from __future__ import annotations

from casino.api.call import Pools
from casino.api.frame import Frame
from casino.api.turnstile import Turnstile
from casino.sql.schema import database_for
from casino.staff import serving
from casino.staff.passwords import Passwords
from casino_testing.service import settings_of
from casino_testing.staff import WRONG, StaffBooks
from shared_service.postgres.database import Database


def pools_of(database: Database) -> Pools:
    return Pools(tenants=database, oversight=None, turnstile=Turnstile(1.0), guarding=database)


async def test_the_loop_forgets_counts_that_hold_nobody_back(books: StaffBooks) -> None:
    books.judge("nobody", WRONG)
    settings = settings_of(books.tenant)
    async with database_for(settings, size_max=1) as database:
        (loop,) = serving.loops(Frame(settings, pools_of(database)))
        assert not await loop._step()
        assert books.tenant.rows("login_refusals") == []  # of last June: the loop's clock is the wall's


def test_all_but_the_own_account_names_its_permission(books: StaffBooks) -> None:
    settings = settings_of(books.tenant)
    frame = Frame(settings, pools_of(database_for(settings, size_max=1)))
    serving.routes(frame, Passwords())
    without = {operation.path for operation in frame.operations if operation.permission is None}
    assert all(path.startswith("/staff/") for path in without)
    assert {operation.path for operation in frame.operations if operation.only_owners} == {"/admin/otp-roles"}
