"""Assets, templates and forms of the library."""

from pathlib import Path

import pytest

from shared_service.http.errors import Refused
from shared_service.pages.assets import Assets, folder_of
from shared_service.pages.forms import FormTokens, parse_form
from shared_service.pages.frame import PageFrame

FOLDER = folder_of("shared_service.pages")


def written(folder: Path, **files: str) -> Path:
    """A folder of assets."""
    (folder / "assets").mkdir()
    for name, text in files.items():
        (folder / "assets" / f"{name}.js").write_text(text, "utf-8")
    return folder


def test_a_module_imports_others_by_their_hashed_names(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assets = Assets(written(tmp_path, a='import "./b.js";', b="1"))
    changed = Assets(written(tmp_path / "other", a='import "./b.js";', b="2"))
    assert assets.path("b.js") != changed.path("b.js")
    assert assets.path("a.js") != changed.path("a.js"), "its content names the other module's hash"


def test_modules_that_need_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="import each other"):
        Assets(written(tmp_path, a='import "./b.js";', b='import "./a.js";'))


def test_every_template_can_be_compiled() -> None:
    frame = PageFrame(Assets(FOLDER), FOLDER)
    assert {"base.html", "components.html"} <= set(frame.templates)
    for name in frame.templates:
        frame.compiled(name)


@pytest.mark.parametrize("body", [b"a", b"a=1&a=2", b"\xff=1", b"&".join(b"f%d=1" % n for n in range(40)), b"a=%ff"])
def test_what_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(Refused, match="malformed_request"):
        parse_form(body)


def test_a_form_is_read() -> None:
    assert parse_form(b"a=1&b=%C3%A4+%2B&c=") == {"a": "1", "b": "ä +", "c": ""}
    assert parse_form(b"") == {}


def test_a_token_belongs_to_its_session_and_key() -> None:
    tokens = FormTokens(b"k" * 32)
    tokens.require("one", {"form_token": tokens.of("one")}, site="same-origin")
    for form in ({}, {"form_token": tokens.of("two")}, {"form_token": FormTokens(b"l" * 32).of("one")}):
        with pytest.raises(Refused, match="form_expired"):
            tokens.require("one", form, site=None)
