"""Looks at a running casino from outside and says in sentences what it found: `make smoke API_BASE=http://host:8000`.

It only reads. With SMOKE_USERNAME and SMOKE_PASSWORD it also logs in, looks around and logs out.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import httpx

SECONDS = 10.0
DEFAULT_BASE = "http://127.0.0.1:8000"
Finding = tuple[bool, str]
"""Whether it is as it should be, and a sentence."""


def look(base: str, *, username: str = "", password: str = "") -> tuple[list[str], bool]:
    """Returns the lines to print, and whether everything is as it should be."""
    lines, is_good = [], True
    try:
        with httpx.Client(base_url=base.rstrip("/"), timeout=SECONDS) as client:
            for good, sentence in _findings(client, username, password):
                is_good = is_good and good
                lines.append(f"ok    {sentence}" if good else f"FAIL  {sentence}")
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        lines.append(f"FAIL  {base} does not answer as a casino does: {error or type(error).__name__}")
        is_good = False
    return lines, is_good


def _findings(client: httpx.Client, username: str, password: str) -> Iterator[Finding]:
    ready = client.get("/health/ready")
    facts: dict[str, Any] = ready.json()
    if ready.status_code == 200:
        yield True, "The casino is ready."
    else:
        yield False, f"The casino is not ready: {facts.get('missing', 'no reason given')} is missing."
    yield True, "It runs in demo mode: never with real money." if facts.get("demo") else "It does not run in demo mode."
    metrics = client.get("/metrics").status_code
    yield (
        metrics == 404,
        "Metrics are not open on this address." if metrics == 404 else "Metrics are open to everybody.",
    )
    wallet = client.post("/casino/getBalance", json={})
    good = _is_refused(wallet, 401, "signature_missing")
    yield good, f"The wallet {'refuses' if good else 'does not refuse'} calls that are not signed."
    document = client.get("/openapi.json")
    if document.status_code != 200:
        yield False, f"/openapi.json answers {document.status_code}: an older release, or a proxy in front."
        return
    paths: dict[str, Any] = document.json()["paths"]
    yield (
        True,
        f"It serves {len(paths)} paths of release {document.json()['info']['version']}: {client.base_url}/docs.",
    )
    if "/api/v1/staff/login" not in paths:
        yield not username, "The platform is closed: set CASINO_PEPPER and CASINO_ACCESS_TOKEN_SECRET to open it."
        return
    stranger = client.get("/api/v1/admin/tenants")
    good = _is_refused(stranger, 401, "TOKEN_MISSING")
    yield good, f"The platform is open, and {'refuses' if good else 'does not refuse'} callers without a token."
    if username:
        yield from _login(client, username, password)


def _login(client: httpx.Client, username: str, password: str) -> Iterator[Finding]:
    answer = client.post("/api/v1/staff/login", json={"username": username, "password": password})
    content: dict[str, Any] = answer.json()
    if answer.status_code != 200:
        yield False, f"{username} cannot log in: {content.get('message')} ({content.get('code')})."
        return
    staff, headers = content["staff"], {"authorization": f"Bearer {content['token']}"}
    yield True, f"The login of {username} works: {staff['role']} of {staff['tenantId'] or 'all tenants'}."
    tenants = client.get("/api/v1/admin/tenants", headers=headers)
    if tenants.status_code == 200:
        yield True, f"{username} sees {len(tenants.json()['items'])} tenants on the first page."
    else:
        yield False, f"{username} cannot read tenants: {tenants.json().get('message')}."
    ended = client.post("/api/v1/staff/logout", headers=headers).status_code
    yield ended == 200, f"{username} is logged out." if ended == 200 else f"The logout answers {ended}."


def _is_refused(answer: httpx.Response, status: int, code: str) -> bool:
    return answer.status_code == status and answer.json().get("code") == code


def main() -> None:
    """Print what was found; the exit status is 1 when something is wrong."""
    base = os.environ.get("API_BASE") or DEFAULT_BASE
    names = (os.environ.get("SMOKE_USERNAME", ""), os.environ.get("SMOKE_PASSWORD", ""))
    lines, is_good = look(base, username=names[0], password=names[1])
    print("\n".join(lines))
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
