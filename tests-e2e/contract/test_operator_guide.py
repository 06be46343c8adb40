"""docs/operator-guide.md, run as printed, from empty databases to a player who was paid out."""

import re
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from contract.test_first_installation import PRINTED as INSTALLATION
from contract.test_first_installation import SIDES, books, missing_of, run, settings_in, started
from e2e_testing.database import Database
from e2e_testing.service_process import run_command_or_fail
from local_stack.ports import free_port
from local_stack.smoke import look
from local_stack.testing import PostgresServer
from shared_service_testing.waiting import wait_until

__all__ = ("books",)
PAGE = Path(__file__).parents[2] / "docs" / "operator-guide.md"
BLOCK = re.compile(r"^<!-- operator: ([a-z]+) -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PRINTED = dict(BLOCK.findall(PAGE.read_text("utf-8")))
PASSWORDS = {"OWNER_PASSWORD": "a-password-of-the-owner", "CASHIER_PASSWORD": "a-password-of-the-till"}
EVERY_BLOCK = ["shell", "owner", "tenants", "fund", "sell", "play", "limit", "cashout", "told", "look"]


def test_the_printed_commands_lead_to_the_first_voucher_sold_played_and_cashed_out(
    server: PostgresServer, books: dict[str, Database], tmp_path: Path
) -> None:
    address = urlsplit(server.url())
    at = {"SERVER": f"{address.scheme}://{address.netloc}", "HOST": f"{address.hostname}:{address.port}"}
    run([INSTALLATION["settings"], INSTALLATION["databases"]], tmp_path, **at)
    ports = {side: free_port() for side in SIDES}
    urls = {f"{side.upper()}_URL": f"http://127.0.0.1:{port}" for side, port in ports.items()}
    settings = {side: settings_in(tmp_path / f"{side}.env") | urls for side in SIDES}
    assert list(PRINTED) == EVERY_BLOCK
    with ExitStack() as opened:
        casino, provider = (started(opened, side, ports[side], settings[side], tmp_path) for side in SIDES)
        wait_until(lambda: missing_of(casino) == "tenant", casino.log_tail)
        provider.wait_until_ready()
        first = [PRINTED["shell"], PRINTED["owner"].splitlines()[0]]
        run(first, tmp_path)
        casino.wait_until_ready()
        said = run([PRINTED[name] for name in EVERY_BLOCK], tmp_path, API_BASE=casino.url, **PASSWORDS)
        lines, good = look(casino.url, username="boss", password=PASSWORDS["OWNER_PASSWORD"])
        assert good, "\n".join(lines)
        assert "The login of boss works" in "\n".join(lines)
        refused, good = look(casino.url, username="boss", password="a wrong password")
        assert not good
        assert any(line.startswith("FAIL") and "boss" in line for line in refused)
        page = httpx.get(f"{casino.url}/docs", timeout=10, trust_env=False).text
        assert "/api/v1/bet/spin" in page
        run_command_or_fail("provider", "reconcile", settings["provider"])
    assert said.count('"betId":') == 3
    assert '"cashout":{"amountMinor":' in said
    assert "CASHOUT_IN" in said
    players = books["casino"].row("select count(*)::integer as closed from casino.players where closed_at is not null")
    assert players == {"closed": 1}
