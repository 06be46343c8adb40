"""One request for a page: who visits, the form that was sent, calls of the platform, and the page that answers."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from casino.api.call import Caller
from casino.api.errors import Refused
from casino.pages.errors import PageErrors
from casino.pages.inner import Inner, Told, at
from casino.pages.sessions import Cookies, Session
from shared_service.http.exchange import request_id
from shared_service.http.routing import Route, Share, route
from shared_service.pages.forms import TOKEN_FIELD, FormTokens, parse_form
from shared_service.pages.frame import HEADERS, PageFrame

KEY_FIELD: Final = "idempotency_key"


@dataclass(frozen=True, slots=True)
class Site:
    """What every page needs. `errors` are those of the player's pages or of the console."""

    frame: PageFrame
    inner: Inner
    cookies: Cookies
    tokens: FormTokens
    errors: PageErrors


@dataclass(slots=True)
class Visit:
    """One request. A handler returns `page`, `redirect` or another response."""

    site: Site
    request: Request
    form: dict[str, str] = field(default_factory=dict)

    @property
    def caller(self) -> Caller:
        """Who visits."""
        caller: Caller = self.request.state.caller
        return caller

    @property
    def session(self) -> Session:
        """The browser's session."""
        session: Session = self.request.state.session
        return session

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters of the query."""
        return self.request.query_params

    async def get(self, template: str, *ids: str, **query: Any) -> Any:
        """The content of a GET of the platform. Raises Refused."""
        return (await self.site.inner.call(self.request, "GET", at(template, *ids), query=query)).content

    async def get_raw(self, template: str, *ids: str, query: Mapping[str, Any], headers: Mapping[str, str]) -> Told:
        """The answer of a GET that is no JSON. Raises Refused."""
        return await self.site.inner.call(self.request, "GET", at(template, *ids), query=query, headers=headers)

    async def post(self, template: str, *ids: str, content: Mapping[str, Any]) -> Told:
        """A POST of the platform, under the form's idempotency key. Raises Refused."""
        key = self.form.get(KEY_FIELD)
        headers = {"idempotency-key": key} if key else {}
        return await self.site.inner.call(self.request, "POST", at(template, *ids), content, headers=headers)

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """A page. Each of its forms has a token, and an idempotency key of its own."""
        own = {
            "caller": self.caller, "path": self.request.url.path, "token_field": TOKEN_FIELD, "key_field": KEY_FIELD,
            "form_token": self.site.tokens.of(self.session.key), "new_key": lambda: str(uuid.uuid4()),
            "request_id": request_id(self.request.scope), "problem": None, "form": self.form, **values,
        }  # fmt: skip
        return self.site.frame.response(template, own, status=status)

    def redirect(self, path: str) -> Response:
        """Leads to another page with GET."""
        return Response(status_code=303, headers={**HEADERS, "location": path})

    def json(self, content: Any) -> Response:
        """An answer for a script of ours."""
        return Response(msgspec.json.encode(content), headers=HEADERS, media_type="application/json")

    def refusal(self, refused: Refused) -> dict[str, Any]:
        """What `page` needs to show a refusal: its sentence and status. For the log, the request was refused."""
        kind = self.site.errors[refused.code]
        state = self.request.scope["state"]
        state["code"], state["why"] = kind.code, refused.why
        problem = {"code": kind.code, "sentence": refused.sentence or kind.sentence, "field": refused.field}
        return {"problem": problem, "status": kind.status}


Handler = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Pages:
    """Makes the routes of pages. Every form is checked before its handler runs."""

    site: Site

    def get(
        self, path: str, handler: Handler, *, access: str, query: tuple[str, ...] = (), has_head: bool = True
    ) -> Route:
        """A page that reads. Without `has_head` it changes something, too: HEAD is 405."""
        return self._route("GET", path, handler, access=access, query=query, has_head=has_head)

    def post(self, path: str, handler: Handler, *, access: str, share: Share | None = None) -> Route:
        """A form that is sent."""
        return self._route("POST", path, handler, access=access, share=share)

    def _route(
        self, method: str, path: str, handler: Handler, *, access: str, query: tuple[str, ...] = (),
        share: Share | None = None, has_head: bool = True,
    ) -> Route:  # fmt: skip
        async def answer(request: Request) -> Response:
            visit = Visit(self.site, request)
            if method == "POST":
                visit.form = parse_form(request.state.body)
                self.site.tokens.require(visit.session.key, visit.form, site=request.headers.get("sec-fetch-site"))
            return await handler(visit)

        return route(
            method, path, answer, access=access, query=query, share=share, errors=self.site.errors, has_head=has_head
        )
