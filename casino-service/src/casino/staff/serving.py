"""The routes of staff, and the loop that forgets ended logins."""

from __future__ import annotations

from typing import Final

from casino.api.frame import ANYONE, Frame
from casino.api.types import Answer, Page
from casino.staff import account, api_keys, audit_trail, logins, members
from casino.staff.passwords import Passwords
from shared_service.http.routing import Route
from shared_service.run.loops import BackgroundLoop

FORGET: Final = "select casino.forget_logins(%s, %s)"
FORGET_PAGE: Final = 1_000
FORGET_SECONDS: Final = 60.0
_PROOF: Final = ("INVALID_CREDENTIALS", "LOCKED", "RATE_LIMITED", "OVERLOADED")


def routes(frame: Frame, passwords: Passwords) -> list[Route]:
    """The routes of staff."""
    return [*_own_routes(frame, passwords), *_admin_routes(frame, passwords)]


def _own_routes(frame: Frame, passwords: Passwords) -> list[Route]:
    login, own = logins.Logins(passwords), account.Account(passwords)
    return [
        frame.post(
            "/staff/login", login.log_in, body=logins.LoginBody, answer=logins.LoggedIn, access=ANYONE,
            in_transaction=False, codes=(*_PROOF, "OTP_REQUIRED"),
        ),
        frame.post(
            "/staff/refresh", logins.refresh, body=logins.RefreshBody, answer=logins.Refreshed, access=ANYONE,
            in_transaction=False, codes=("TOKEN_INVALID", "TOKEN_REUSED"),
        ),
        frame.post("/staff/logout", logins.log_out, answer=Answer, keeps_answers=False),
        frame.get("/staff/me", account.me, answer=account.Me),
        frame.post(
            "/staff/password", own.change_password, body=account.PasswordBody, answer=Answer, codes=_PROOF,
            prepare=own.prove_password,
        ),
        frame.post("/staff/otp/enrol", account.enrol, answer=account.Enrolled, codes=("OTP_ENROLLED",)),
        frame.post(
            "/staff/otp/confirm", account.confirm_otp, body=account.OtpBody, answer=Answer, prepare=own.prove_code,
            codes=(*_PROOF, "OTP_ENROLLED", "OTP_NOT_ENROLLED"),
        ),
        frame.delete(
            "/staff/otp", account.delete_otp, body=account.PasswordAndOtpBody, answer=Answer, prepare=own.prove_both,
            codes=(*_PROOF, "OTP_NOT_ENROLLED"),
        ),
    ]  # fmt: skip


def _admin_routes(frame: Frame, passwords: Passwords) -> list[Route]:
    staff = members.Members(passwords)
    return [
        frame.post(
            "/admin/staff", staff.create, body=members.NewStaffBody, answer=members.OneOfStaff,
            permission="staff.manage", status=201, codes=("NOT_FOUND", "USERNAME_TAKEN"), prepare=staff.hash,
        ),
        frame.get(
            "/admin/staff", members.list_staff, query=Page, answer=members.StaffList, permission="staff.manage"
        ),
        frame.patch(
            "/admin/staff/{staff_id}", staff.change, body=members.ChangeBody, answer=members.OneOfStaff,
            permission="staff.manage", finds=members.FINDS, prepare=staff.hash,
        ),
        frame.put(
            "/admin/otp-roles", members.set_otp_roles, body=members.OtpRoles, answer=members.OtpRolesSet,
            permission="staff.manage", only_owners=True,
        ),
        frame.post(
            "/admin/api-keys", api_keys.make, body=api_keys.NewKeyBody, answer=api_keys.Made,
            permission="apikeys.manage", status=201,
        ),
        frame.get(
            "/admin/api-keys", api_keys.list_keys, query=Page, answer=api_keys.KeyList,
            permission="apikeys.manage",
        ),
        frame.delete(
            "/admin/api-keys/{key_id}", api_keys.delete, answer=Answer, permission="apikeys.manage"
        ),
        frame.get(
            "/admin/audit", audit_trail.read, query=audit_trail.AuditQuery, answer=audit_trail.AuditTrail,
            permission="audit.read",
        ),
    ]  # fmt: skip


def loops(frame: Frame) -> list[BackgroundLoop]:
    """The loop that forgets ended logins and counts of refusals that hold nobody back."""

    async def forget() -> bool:
        rows = await frame.pools.tenants.call(FORGET, (frame.settings.ledger_id, FORGET_PAGE))
        return int(rows[0][0]) == FORGET_PAGE

    return [BackgroundLoop("logins", forget, interval_seconds=FORGET_SECONDS)]


async def close(passwords: Passwords) -> None:
    """End the process that hashes passwords."""
    await passwords.close()
