"""Authenticates each request with the guard of its route, before any other code of the service reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from shared_service.http.admission import Admission
from shared_service.http.errors import ErrorTable
from shared_service.http.exchange import refusal, refuse_with, remaining_seconds, warn_of_skew
from shared_service.http.routing import OPS, PUBLIC, route_of
from shared_signing.asgi import SignedEndpoints
from shared_signing.asgi_messages import send_answer
from shared_signing.signer import Signer
from shared_signing.verifier import Verifier

Guard = Callable[[ASGIApp], ASGIApp]
"""Wraps an application in middleware that passes only authenticated requests to it."""


def signed_guard(
    header_name: str,
    verifier: Verifier,
    signer: Signer,
    *,
    errors: ErrorTable,
    admission: Admission,
    on_clock: Callable[[int], None],
) -> Guard:
    """The guard of signed routes. Their answers are signed too. `on_clock(seconds)`: the peer's clock is behind."""

    def guard(app: ASGIApp) -> ASGIApp:
        return SignedEndpoints(
            app,
            header_name=header_name,
            verifier=verifier,
            signer=signer,
            refuse=refuse_with(errors),
            on_skew=warn_of_skew,
            on_clock=on_clock,
            enter=admission.enter,
            leave=admission.leave,
            handler_claims=_handler_claims,
            claim_seconds=remaining_seconds,
        )

    return guard


def _handler_claims(scope: Scope) -> bool:
    return route_of(scope).claims_nonce


class Authenticate:
    """Middleware. While the service is full, it refuses a request by its head, before it reads the body."""

    def __init__(self, app: ASGIApp, *, guards: Mapping[str, Guard], admission: Admission, errors: ErrorTable) -> None:
        """`guards` has a guard for each access but `public` and `ops`."""
        self._app = app
        self._guarded = {access: guard(app) for access, guard in guards.items()}
        self._admission = admission
        self._errors = errors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        route = route_of(scope) if scope["type"] == "http" else None
        if route is None or route.access in (PUBLIC, OPS):
            await self._app(scope, receive, send)
        elif self._admission.is_full_for(route):
            await send_answer(send, refusal(self._errors, scope, "overloaded"))
        else:
            await self._guarded[route.access](scope, receive, send)
