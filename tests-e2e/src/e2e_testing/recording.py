"""Metrics recorded from a running stack, and promtool playing the shipped alert rules against them.

A scrape stands for fifteen seconds, however soon it followed the one before: rules wait for minutes, a test does not.
"""

import itertools
import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from e2e_testing.stack import Stack
from shared_service_testing.waiting import wait_until

ALERTS_DIR = Path(__file__).parents[3] / "deploy" / "alerts"
RULES = ALERTS_DIR / "wallet.rules.yml"
SCRAPE_EVERY_SECONDS = 15
CALM_SCRAPES = 8
HELD_SCRAPES = 16
"""The last scrape is held for four minutes: an alert may wait until the fault has lasted."""
WAIT_SECONDS = 90.0
NO_APT = 3
BUCKET = "casino_request_seconds_bucket"

PAGE_SECONDS = 1.1
"""A page of metrics is made once a second: after this time the next one shows what has just happened."""
Series = tuple[str, tuple[tuple[str, str], ...]]


def promtool() -> str:
    """The path of Prometheus's own tool; skips where it cannot be had."""
    found = subprocess.run([ALERTS_DIR / "promtool.sh"], capture_output=True, text=True, timeout=240, check=False)
    if found.returncode == NO_APT:
        pytest.skip(found.stderr)
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


@dataclass(slots=True)
class Recording:
    """Scrapes of both services, one after the other."""

    stack: Stack
    scrapes: list[dict[Series, float]] = field(default_factory=list)

    def scrape(self, times: int = 1) -> dict[Series, float]:
        """What both services show now; a service that is away shows only that.

        The books, which a provider reads in a second or two, are waited for: a scrape without them would stand for
        minutes without.
        """
        for _ in range(times):
            time.sleep(PAGE_SECONDS)
            self.scrapes.append({})
            wait_until(self._can_read_its_books, "the books cannot be read", seconds=WAIT_SECONDS)
        return self.scrapes[-1]

    def _can_read_its_books(self) -> bool:
        self.scrapes[-1] = self._shown()
        return not self.value("up", job="provider") or bool(self.value("provider_books_readable"))

    def _shown(self) -> dict[Series, float]:
        seen: dict[Series, float] = {}
        for job, service in self.stack.services.items():
            origin = (("instance", f"127.0.0.1:{service.port}"), ("job", job))
            try:
                text = httpx.get(f"{service.ops_url}/metrics", timeout=30, trust_env=False, verify=False).text
            except httpx.TransportError:
                text = ""
            seen["up", origin] = 1.0 if text else 0.0
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    seen[sample.name, tuple(sorted((*sample.labels.items(), *origin)))] = sample.value
        return seen

    def until(self, happened: Callable[["Recording"], bool]) -> None:
        """Scrape until something is seen; only the last one is kept."""

        def look() -> bool:
            self.scrape()
            if has_happened := happened(self):
                return has_happened
            self.scrapes.pop()
            return False

        wait_until(look, "the metric did not move", seconds=WAIT_SECONDS)

    def value(self, name: str, **labels: str) -> float:
        """The sum of the latest samples of this name with these labels."""
        return sum(
            value for (own, given), value in self.scrapes[-1].items() if own == name and labels.items() <= set(given)
        )

    def fires(self, tmp_path: Path, *alerts: str, besides: str = "") -> None:
        """Require that these alerts, and no others, fire while the last scrape lasts, and none before the fault.

        `besides` matches those that may fire too. So may WalletSlow where a bet did take longer than a second, on a
        machine that stood still.
        """
        allowed = "|".join(filter(None, (besides, "WalletSlow" if self._had_slow_bets() else "")))
        (tmp_path / "played.yml").write_text(json.dumps(self._played(alerts, allowed)))
        played = subprocess.run(
            [promtool(), "test", "rules", "played.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert played.returncode == 0, played.stdout + played.stderr

    def _had_slow_bets(self) -> bool:
        def bets(scrape: dict[Series, float], *, within: str) -> float:
            wanted = {("endpoint", "/casino/debit"), ("le", within)}
            return sum(n for (name, labels), n in scrape.items() if name == BUCKET and wanted <= set(labels))

        slow = [bets(scrape, within="+Inf") - bets(scrape, within="1.0") for scrape in self.scrapes]
        return any(after > before for before, after in itertools.pairwise(slow))

    def _played(self, alerts: tuple[str, ...], besides: str) -> dict[str, object]:
        names = {series for scrape in self.scrapes for series in scrape}
        calm_seconds = (CALM_SCRAPES - 1) * SCRAPE_EVERY_SECONDS
        end_seconds = (CALM_SCRAPES + len(self.scrapes) + HELD_SCRAPES - 2) * SCRAPE_EVERY_SECONDS
        firing = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(alerts)]
        chosen = f'ALERTS{{alertstate="firing", alertname!~"{besides}"}}'
        expression = f"count by (alertname) (count_over_time({chosen}[1h])) > bool 0"
        test = {
            "interval": f"{SCRAPE_EVERY_SECONDS}s",
            "input_series": [{"series": _named(series), "values": self._values(series)} for series in sorted(names)],
            "promql_expr_test": [
                {"expr": expression, "eval_time": f"{calm_seconds}s", "exp_samples": []},
                {"expr": expression, "eval_time": f"{end_seconds}s", "exp_samples": firing},
            ],
        }
        return {"rule_files": [str(RULES)], "evaluation_interval": f"{SCRAPE_EVERY_SECONDS}s", "tests": [test]}

    def _values(self, series: Series) -> str:
        """A calm first scrape for a while, then each one, the last one held. `_`: there was none."""
        shown = [f"{scrape[series]:.17g}" if series in scrape else "_" for scrape in self.scrapes]
        return " ".join([shown[0]] * CALM_SCRAPES + shown[1:] + [shown[-1]] * HELD_SCRAPES)


def _named(series: Series) -> str:
    name, labels = series
    return f"{name}{{{', '.join(f'{label}={json.dumps(value)}' for label, value in labels)}}}"
