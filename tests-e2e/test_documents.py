"""The documents say what the code does: rendered pages are up to date, links lead somewhere, codes have a row."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import casino.errors
import provider.errors
from answers import CODES_BY_STATUS

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
SETTING = re.compile(r'"((?:CASINO|PROVIDER)_[A-Z_]+)"')


def test_the_page_of_errors_is_what_the_tables_say() -> None:
    rendered = subprocess.run(
        [sys.executable, ROOT / "docs" / "render_errors.py", "--print"], capture_output=True, text=True, check=True
    ).stdout
    assert rendered == (ROOT / "docs" / "errors.md").read_text("utf-8"), "run: make docs"


def test_both_services_use_a_code_with_the_status_that_the_contract_gives_it() -> None:
    status_of = {code: status for status, codes in CODES_BY_STATUS.items() for code in codes}
    own_codes = {"access_token_missing", "access_token_invalid"}
    for table in (casino.errors.ERRORS, provider.errors.ERRORS):
        for code, kind in table.items():
            if code not in own_codes:
                assert kind.status == status_of[code], code
    assert own_codes < casino.errors.ERRORS.keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = [link for link in LINK.findall(page.read_text("utf-8")) if not (page.parent / link).exists()]
    assert broken == []


def test_the_readme_names_every_setting_of_the_casino() -> None:
    source = (ROOT / "casino-service/src/casino/settings.py").read_text("utf-8")
    readme = (ROOT / "README.md").read_text("utf-8")
    assert {name for name in SETTING.findall(source) if f"`{name}`" not in readme} == set()
