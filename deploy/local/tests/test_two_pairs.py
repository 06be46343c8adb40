"""`serve --peers 2`: two casinos and two providers that know each other, each service with data of its own."""

import re
from pathlib import Path

import psycopg
import pytest

from local_stack.databases import DATABASE
from local_stack.peers import GAMES
from local_stack.postgres import Postgres
from local_stack.settings import DEMO_SECRETS, DEMO_SECRETS_2
from local_stack_testing.serving import serving


def test_both_casinos_play_and_each_keeps_books_of_its_own(tmp_path: Path) -> None:
    with serving(tmp_path / "state", peers=2) as stack:
        own, others = "1", GAMES[0][0]
        for casino, game, final in (
            ("1", own, "1,001,000"), ("2", own, "1,001,000"), ("1", others, "1,002,000"), ("2", others, "1,002,000"),
        ):  # fmt: skip
            played = stack.run(f"simulate --peer {casino} --game {game}")
            assert played.returncode == 0, played.stdout + played.stderr
            assert played.stdout.splitlines()[-1] == f"PASSED  final balance {final} USD"
        for name in ("casino", "provider", "casino-2", "provider-2"):
            assert (tmp_path / "state" / f"{name}.env").exists()
            assert f"{name:<10} | " in stack.output
        for secret in (*DEMO_SECRETS.values(), *DEMO_SECRETS_2.values()):
            assert re.search(rf"published demo secrets are in use: .*_SECRET={secret}\b", stack.output)
        assert stack.stop() == 0, stack.output
    with Postgres(tmp_path / "state") as server:
        for pair, other in (("", "_2"), ("_2", "")):
            for service in ("casino", "provider"):
                login = f"{service}{pair}_login"
                with psycopg.connect(server.url(f"{DATABASE}{pair}", login)):
                    pass
                with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                    psycopg.connect(server.url(f"{DATABASE}{other}", login))
