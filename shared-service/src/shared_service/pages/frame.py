"""Renders pages: Jinja templates with every value escaped, and the headers that each page has.

frame = PageFrame(assets, folder_of("shared_service.pages"), folder_of("service.pages"))
response = frame.response("page.html", {"name": "…"})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from starlette.responses import Response

from shared_service.pages.assets import Assets

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""No script but the files of `/assets`, nothing inline, nothing from elsewhere, and no frame around a page."""
HEADERS: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class PageFrame:
    """The templates of some folders, which find each other by name. A value that is missing is a defect."""

    def __init__(self, assets: Assets, *folders: Path, filters: Mapping[str, Callable[..., Any]] = {}) -> None:
        self._environment = Environment(
            loader=FileSystemLoader([folder / "templates" for folder in folders]),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["asset"] = assets.path
        self._environment.filters.update(filters)

    @property
    def templates(self) -> list[str]:
        """The names of all templates."""
        return self._environment.list_templates()

    def compiled(self, template: str) -> Template:
        """A template, compiled. Raises jinja2's TemplateError."""
        return self._environment.get_template(template)

    def render(self, template: str, values: Mapping[str, Any]) -> str:
        """Returns a page."""
        return self.compiled(template).render(values)

    def response(self, template: str, values: Mapping[str, Any], *, status: int = 200) -> Response:
        """Returns a page with its headers."""
        return Response(self.render(template, values), status, headers=HEADERS, media_type="text/html")
