"""The documents say what the code does: rendered pages are up to date, links lead somewhere, codes have a row."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import casino.errors
import casino.ops.metrics
import provider.errors
import provider.ops.metrics
from e2e_testing.answers import CODES_BY_STATUS
from e2e_testing.setting_cases import kinds

ROOT = Path(__file__).parents[2]
MAPS = ("README.md", "CONTRIBUTING.md", "docs/architecture.md")
GUIDES = MAPS[1:]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)")
HEADING = re.compile(r"^#+ (.+)$", re.M)
PATH = re.compile(r"`((?:[\w.*-]+/)+(?:[\w*-]+\.\w+)?)`")
# A word of lower-case letters alone may be one of the language.
NAME = re.compile(r"`@?(?![a-z]+`)((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)(?:\([^`]*\))?`")
NAME_AND_FILE = re.compile(NAME.pattern + r" (?:of|in) " + PATH.pattern)
TEST = re.compile(r"pytest (\S+\.py)::(\w+)")
ENDINGS = (".py", ".sql", ".toml", ".yml")
SETTING = re.compile(r"`((?:CASINO|PROVIDER|LOG|STACK)_[A-Z_]+)`")
EVENT = re.compile(r"`(\w+_\w+|exception)`")
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb"}


class Excused(ast.NodeTransformer):
    """Leaves out `host_variables.ignore(os.environ)`, which reads no setting: it removes what a host has set."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        return ast.Pass() if ast.unparse(node.func) == "host_variables.ignore" else self.generic_visit(node)


READERS_OF_THE_ENVIRONMENT = {
    "shared_service/settings/reader.py",
    "shared_service/run/server.py",  # hands the port that it listens on to the processes that it starts
    "shared_service/metrics/workers.py",  # a folder's name, from a process to its workers
    "casino/staff/passwords.py",  # hands two variables, and no secret, to the process that hashes
}


def test_the_page_of_errors_is_what_the_tables_say() -> None:
    rendered = subprocess.run(
        [sys.executable, ROOT / "docs" / "render_errors.py", "--print"], capture_output=True, text=True, check=True
    ).stdout
    assert rendered == (ROOT / "docs" / "errors.md").read_text("utf-8"), "run: make docs"


def test_the_tables_of_the_platform_are_what_the_application_serves() -> None:
    rendered = subprocess.run(
        [sys.executable, ROOT / "docs" / "render_platform.py", "--print"], capture_output=True, text=True, check=True
    ).stdout
    assert rendered == (ROOT / "docs" / "platform.md").read_text("utf-8"), "run: make docs"


def test_both_services_use_a_code_with_the_status_that_the_contract_gives_it() -> None:
    status_of = {code: status for status, codes in CODES_BY_STATUS.items() for code in codes}
    of_clients = {"access_token_missing", "access_token_invalid"}
    of_pages = {"launch_code_invalid", "play_token_invalid", "demo_not_allowed"}
    for table in (casino.errors.ERRORS, provider.errors.ERRORS):
        for code, kind in table.items():
            if code not in of_clients | of_pages:
                assert kind.status == status_of[code], code
    assert of_clients < casino.errors.ERRORS.keys()
    assert of_pages < provider.errors.ERRORS.keys()


def test_both_services_advise_what_the_contract_says() -> None:
    section = (ROOT / "docs" / "protocol.md").read_text("utf-8").partition("\n## 6. ")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| \d{3}[\d, ]* \| (.+?) \| (.+?) \|$", section, re.M)
    contract = {code: advice for codes, advice in rows for code in re.findall(r"`([a-z_]+)`", codes)}
    for table in (casino.errors.ERRORS, provider.errors.ERRORS):
        own = {code: kind.advice for code, kind in table.items() if code in contract}
        assert len(own) > 20
        assert own == {code: contract[code] for code in own}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_holds_both_sides_of_a_merge(page: Path) -> None:
    assert not re.findall(r"^(?:<{7}|={7}|>{7})(?: |$)", page.read_text("utf-8"), re.M)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for path, anchor in LINK.findall(page.read_text("utf-8")):
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(f"{path}#{anchor}")
    assert broken == []


def anchors(page: Path) -> set[str]:
    """What a link may name behind `#`: each heading, as GitHub spells it."""
    headings = HEADING.findall(page.read_text("utf-8"))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", MAPS)
def test_every_path_of_a_map_exists(page: str) -> None:
    """Paths begin at the root or at a package's source."""
    named = {path for path in PATH.findall((ROOT / page).read_text("utf-8")) if "…" not in path}
    assert len(named) > 10
    assert [path for path in sorted(named) if not found(path)] == []


def found(path: str) -> list[Path]:
    """The files and folders that a map means by a path."""
    return [each for start in starts() for each in start.glob(path)]


def starts() -> list[Path]:
    return [ROOT, *ROOT.glob("*/src"), ROOT / "deploy" / "local" / "src"]


@pytest.mark.parametrize("page", GUIDES)
def test_every_name_of_a_guide_is_a_name_in_the_code(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    named = {match[1] for match in NAME.finditer(text) if not match[1].endswith((*ENDINGS, ".md"))}
    folders = [each for each in ROOT.iterdir() if each.is_dir() and not each.name.startswith(".")]
    files = [*ROOT.glob("*.*"), *(file for folder in folders for file in folder.rglob("*.*"))]
    sources = [file.read_text("utf-8") for file in files if file.suffix in ENDINGS and file.is_file()]
    words = {word for source in sources for word in re.findall(r"\w+", source)}
    assert named
    assert {name for name in named if not words.issuperset(name.split("."))} == set()


@pytest.mark.parametrize("page", GUIDES)
def test_a_name_that_a_guide_gives_with_its_file_is_in_that_file(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    pairs = [(name.rpartition(".")[2], path) for name, path in NAME_AND_FILE.findall(text) if not path.endswith("/")]
    assert [
        (name, path)
        for name, path in pairs
        if not any(re.search(rf"\b{name}\b", file.read_text("utf-8")) for file in found(path))
    ] == []


@pytest.mark.parametrize("page", GUIDES)
def test_a_test_that_a_guide_runs_exists(page: str) -> None:
    for path, name in TEST.findall((ROOT / page).read_text("utf-8")):
        assert re.search(rf"^(?:async )?def {name}\(", (ROOT / path).read_text("utf-8"), re.M), name


def test_the_page_of_architecture_shows_the_layers_that_imports_are_checked_against() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = {each["containers"][0]: " > ".join(each["layers"]) for each in contracts if each["type"] == "layers"}
    assert layers.keys() == {"casino", "provider"}
    shown = (ROOT / "docs" / "architecture.md").read_text("utf-8").splitlines()
    assert {f"{service}: {order}" for service, order in layers.items()} <= {" ".join(line.split()) for line in shown}


def test_every_metric_that_a_service_declares_has_a_row_for_its_operators() -> None:
    rows = re.findall(r"^\| (`.+?) \|", (ROOT / "docs" / "operations.md").read_text("utf-8"), re.M)
    documented = {name.removesuffix("_total") for row in rows for name in re.findall(r"`(\w+)`", row)}
    for metrics in (casino.ops.metrics.Metrics(), provider.ops.metrics.Metrics()):
        declared = {family.name for family in metrics.registry.collect()}
        assert len(declared) > 5
        assert declared - documented == set()


def test_the_readmes_table_has_every_setting_of_both_services_and_no_other() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    table = readme.partition("| variable |")[2].partition("## ")[0]
    named = {name for row in table.splitlines() for name in SETTING.findall(row.split("|")[1] if "|" in row else "")}
    assert named == kinds("casino").keys() | kinds("provider").keys() | {"STACK_STATE_DIR"}


def test_every_event_that_an_operator_should_look_for_is_logged() -> None:
    table = (ROOT / "docs" / "operations.md").read_text("utf-8").partition("| event |")[2].partition("\n\n")[0]
    events = {
        name
        for row in table.splitlines()
        for name in EVENT.findall(row.split("|")[1].split(" with ")[0] if "|" in row else "")
    }
    assert len(events) > 25
    source = "".join(path.read_text("utf-8") for path in ROOT.glob("*/src/**/*.py"))
    assert {name for name in events if f'"{name}"' not in source} == set()


def test_every_package_has_the_version_of_the_newest_changes() -> None:
    newest = re.search(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert newest
    packages = sorted([*ROOT.glob("*/pyproject.toml"), ROOT / "deploy" / "local" / "pyproject.toml"])
    versions = {path: tomllib.loads(path.read_text("utf-8"))["project"]["version"] for path in packages}
    assert len(versions) > 4
    assert set(versions.values()) == {newest[1]}


def test_only_the_reader_of_settings_reads_the_environment() -> None:
    """Every other look would give a variable a second meaning."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in ("shared-signing", "shared-service", "casino-service", "provider-service")
        for path in sorted((ROOT / package / "src").rglob("*.py"))
        if path.relative_to(ROOT / package / "src").as_posix() not in READERS_OF_THE_ENVIRONMENT
        for node in ast.walk(Excused().visit(ast.parse(path.read_text("utf-8"))))
        if (isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT)
        or (isinstance(node, ast.alias) and node.name in ENVIRONMENT)
        or (isinstance(node, ast.keyword) and node.arg in {"envvar", "auto_envvar_prefix"})
    ]
    assert found == []
