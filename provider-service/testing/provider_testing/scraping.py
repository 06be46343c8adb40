"""Scrapes /metrics and parses the page as Prometheus does."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from shared_service.metrics.scrape import PATH

OPS_URL = "http://provider.test:8101"
"""The operations listener of a service in the test's event loop."""


@dataclass(frozen=True)
class Scrape:
    """The samples of one scrape."""

    samples: tuple[Sample, ...]

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples of this name that carry these labels; 0 where there is none."""
        return sum(s.value for s in self.samples if s.name == name and labels.items() <= s.labels.items())

    def has(self, name: str) -> bool:
        """Whether there is any sample of this name."""
        return any(sample.name == name for sample in self.samples)

    def label_values(self, label: str) -> set[str]:
        """Every value that a label has."""
        return {sample.labels[label] for sample in self.samples if label in sample.labels}

    def series(self) -> set[tuple[str, frozenset[tuple[str, str]]]]:
        """Every series, by its name and its labels."""
        return {(sample.name, frozenset(sample.labels.items())) for sample in self.samples}


async def scrape(client: httpx.AsyncClient) -> Scrape:
    """Scrape as Prometheus does: a plain GET without a signature."""
    response = await client.get(f"{OPS_URL}{PATH}", auth=None)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/plain")
    return read(response.text)


def read(text: str) -> Scrape:
    """Parse what was scraped."""
    return Scrape(tuple(sample for family in text_string_to_metric_families(text) for sample in family.samples))
