"""Prints a voucher once: as text, or as an SVG with a QR code of the page that redeems it, without the PIN."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final, Literal
from xml.sax.saxutils import escape

import msgspec
import segno
from starlette.responses import Response

from casino.api import codes, pepper
from casino.api.call import Call
from casino.api.errors import Refused
from casino.api.types import Body
from casino.money import decimals_of
from casino.vouchers import queries
from shared_service.pages import amounts

PURPOSE: Final = "slip"
QR_SIZE: Final = 240
"""Of the SVG, in its units."""
_LINE: Final = 24
_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder(dict[str, str]).decode


class SlipQuery(Body):
    """How it is printed."""

    format: Literal["svg", "txt"] = "txt"


def token_mac(key: bytes, token: str) -> bytes:
    """Returns the HMAC of a slip token."""
    return pepper.mac(key, "slip token", token)


def seal(key: bytes, token: str, *, code: str, pin: str) -> bytes:
    """Encrypts what a slip shows under its token."""
    return pepper.seal(key, PURPOSE, token, _encode({"code": code, "pin": pin}))


async def show(call: Call, query: SlipQuery) -> Response:
    """Print a voucher's slip. Raises Refused(NOT_FOUND) for the second time, another token, or after 15 minutes."""
    token, voucher_id = call.headers.get("x-slip-token"), call.path["voucher_id"]
    if not token:
        raise Refused("NOT_FOUND")
    (sealed,) = await call.row(queries.TAKE_SLIP, (call.ledger_id, voucher_id, token_mac(call.settings.pepper, token)))
    if sealed is None:
        raise Refused("NOT_FOUND")
    tenant_id, *row = await call.row(queries.ONE_SLIP, {"ledger_id": call.ledger_id, "voucher_id": voucher_id})
    call.audit("voucher.slip_printed", subject=voucher_id, tenant_id=tenant_id, after={"format": query.format})
    lines = _lines(row, **_decode(pepper.unseal(call.settings.pepper, PURPOSE, token, sealed)))
    headers = {"cache-control": "no-store"}
    if query.format == "txt":
        return Response("\n".join([*lines.values(), ""]), media_type="text/plain", headers=headers)
    return Response(
        _svg(lines, f"{call.settings.player_url}#{lines['code'].split()[-1]}"), media_type="image/svg+xml",
        headers=headers,
    )  # fmt: skip


def _lines(row: Sequence[Any], *, code: str, pin: str) -> dict[str, str]:
    amount, bonus, currency, expires_at, name = row
    return {
        "name": str(name),
        "amount": f"Amount: {_major(amount, currency)}",
        **({"bonus": f"Bonus: {_major(bonus, currency)}"} if bonus else {}),
        "code": f"Code: {codes.shown(code)}",
        "pin": f"PIN: {pin}",
        "until": f"Valid until: {expires_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
    }


def _major(minor: int, currency: str) -> str:
    """Returns an amount in the currency's units, as people read it: `1,000.00 USD`."""
    return f"{amounts.shown(minor, decimals_of(currency))} {currency}"


def _svg(lines: dict[str, str], address: str) -> str:
    """Returns the slip: the QR code of the address, below it the lines."""
    drawn = io.BytesIO()
    code = segno.make(address, error="m", micro=False)
    code.save(drawn, kind="svg", xmldecl=False, svgns=False, border=4, svgclass=None, lineclass=None, omitsize=True)
    height = QR_SIZE + _LINE * (len(lines) + 1)
    text = "".join(
        f'<text x="12" y="{QR_SIZE + _LINE * place}">{escape(line)}</text>'
        for place, line in enumerate(lines.values(), start=1)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 {height}" width="320" height="{height}">'
        f'<rect width="320" height="{height}" fill="#fff"/>'
        f'<svg x="40" width="{QR_SIZE}" height="{QR_SIZE}" {drawn.getvalue().decode().removeprefix("<svg ").strip()}'
        f'<g font-family="monospace" font-size="14" fill="#000">{text}</g></svg>'
    )
