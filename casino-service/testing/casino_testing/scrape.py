"""What a scrape of /metrics says, as Prometheus would read it."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from shared_service.metrics.scrape import PATH
from shared_service_testing.waiting import until

OPS_URL = "http://casino.test:8001"
"""The operations listener of a service that runs within the test."""


@dataclass(frozen=True)
class Scrape:
    """The samples of one scrape."""

    samples: tuple[Sample, ...]

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples of this name that carry these labels; 0 where there is none."""
        return sum(
            sample.value for sample in self.samples if sample.name == name and labels.items() <= sample.labels.items()
        )

    def label_values(self, label: str) -> set[str]:
        """Every value that a label has."""
        return {sample.labels[label] for sample in self.samples if label in sample.labels}


def read(text: str) -> Scrape:
    """Parse what was scraped."""
    return Scrape(tuple(sample for family in text_string_to_metric_families(text) for sample in family.samples))


async def scrape(client: httpx.AsyncClient) -> Scrape:
    """Scrape as Prometheus does: a plain GET without a signature."""
    response = await client.get(f"{OPS_URL}{PATH}")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/plain")
    return read(response.text)


async def until_shown(client: httpx.AsyncClient, least: float, name: str, **labels: str) -> None:
    """Scrape until a metric is at least so much."""

    async def is_shown() -> bool:
        return (await scrape(client)).value(name, **labels) >= least

    await until(is_shown, f"{name} is {least}")
