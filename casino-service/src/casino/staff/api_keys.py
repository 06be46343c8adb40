"""API keys: machine users with some of their maker's permissions, until an end."""

from __future__ import annotations

import secrets
from typing import Any, Final

from casino.api import lists, permissions
from casino.api.call import Call
from casino.api.errors import Refused, invalid
from casino.api.guards import KEY_PURPOSE
from casino.api.pepper import mac
from casino.api.types import Answer, Body, Empty, Instant, InstantIn, Page, Shape, Text, instant

KEY_BYTES: Final = 32
PREFIX_CHARACTERS: Final = 11
NOT_FOR_KEYS: Final = frozenset({"apikeys.manage", "staff.manage", "approvals.decide"})
MAKE: Final = "select * from casino.make_api_key(%s, %s, %s, %s, %s, %s, %s)"
DELETE: Final = "select casino.delete_api_key(%s, %s)"
COLUMNS: Final = "key_id, name, prefix, scopes, ends_at, made_by"
ONE: Final = """
    select name, prefix, scopes, tenant_id from casino.api_keys
    where ledger_id = %s and key_id = %s and deleted_at is null
"""
LIST: Final = f"""
    select made_at, {COLUMNS} from casino.api_keys
    where ledger_id = %(ledger)s and deleted_at is null and (made_at, key_id) < (%(before_at)s, %(before_id)s)
    order by made_at desc, key_id desc limit %(limit)s
"""  # noqa: S608 - constants


class NewKeyBody(Body):
    """A new API key."""

    name: Text
    scopes: list[str]
    ends_at: InstantIn


class ApiKey(Shape):
    """An API key, without what it is."""

    id: str
    name: str
    prefix: str
    scopes: list[str]
    ends_at: Instant
    made_by: str


class NewApiKey(ApiKey):
    """An API key that was just made. The key is shown once."""

    key: str


class Made(Answer):
    """A new API key."""

    api_key: NewApiKey


class KeyList(Answer):
    """A page of API keys, the newest first."""

    items: list[ApiKey]
    next_cursor: str | None


async def make(call: Call, body: NewKeyBody) -> Made:
    """POST /admin/api-keys."""
    wanted, caller = frozenset(body.scopes), call.caller
    if not wanted or not wanted <= caller.permissions - NOT_FOR_KEYS:
        raise invalid("scopes", "Expected permissions that the maker has and that keys may have")
    scopes = [name for name in permissions.PERMISSIONS if name in wanted]
    key = f"ck_{secrets.token_urlsafe(KEY_BYTES)}"
    prefix = key[:PREFIX_CHARACTERS]
    hashed = mac(call.settings.pepper, KEY_PURPOSE, key)
    values = (call.ledger_id, caller.id, body.name, prefix, hashed, scopes, body.ends_at)
    code, key_id = await call.row(MAKE, values)
    if code is not None:
        raise invalid("endsAt", "Expected an instant to come") if code == "INVALID_FIELD" else Refused(code)
    after = {"name": body.name, "prefix": prefix, "scopes": scopes, "endsAt": instant(body.ends_at)}
    call.audit("api_key.created", subject=key_id, tenant_id=caller.tenant_id, after=after)
    return Made(
        api_key=NewApiKey(
            id=key_id, name=body.name, prefix=prefix, scopes=scopes, ends_at=instant(body.ends_at),
            made_by=str(caller.id), key=key,
        )
    )  # fmt: skip


async def list_keys(call: Call, query: Page) -> KeyList:
    """GET /admin/api-keys."""
    rows = await call.rows(LIST, {"ledger": call.ledger_id, **lists.parameters(query)})
    page, cursor = lists.cut(rows, query, place=lambda row: (row[0], row[1]))
    return KeyList(items=[_key_of(row[1:]) for row in page], next_cursor=cursor)


async def delete(call: Call, _: Empty) -> Answer:
    """DELETE /admin/api-keys/{key_id}."""
    key_id = call.path["key_id"]
    name, prefix, scopes, tenant_id = await call.row(ONE, (call.ledger_id, key_id))
    if not (await call.row(DELETE, (call.ledger_id, key_id)))[0]:
        raise Refused("NOT_FOUND")
    before = {"name": name, "prefix": prefix, "scopes": scopes}
    call.audit("api_key.deleted", subject=key_id, tenant_id=tenant_id, before=before)
    return Answer()


def _key_of(row: tuple[Any, ...]) -> ApiKey:
    key_id, name, prefix, scopes, ends_at, made_by = row
    return ApiKey(id=key_id, name=name, prefix=prefix, scopes=scopes, ends_at=instant(ends_at), made_by=made_by)
