"""The private members of prometheus-client that the metrics use. An upgrade that changes them fails here first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest, values

from shared_service.metrics import workers as metrics


def test_a_histogram_adds_up_what_its_private_members_are_given() -> None:
    registry = CollectorRegistry()
    seconds: Any = Histogram("seconds", "Time", ["endpoint"], buckets=(1.0, 2.0), registry=registry).labels("/x")
    assert len(seconds._buckets) == 3, "one for each bound, and one for what is above them"
    seconds._buckets[1].inc(4)
    seconds._buckets[2].inc(1)
    seconds._sum.inc(8.5)
    page = generate_latest(registry).decode().splitlines()
    assert 'seconds_bucket{endpoint="/x",le="1.0"} 0.0' in page
    assert 'seconds_bucket{endpoint="/x",le="2.0"} 4.0' in page
    assert 'seconds_bucket{endpoint="/x",le="+Inf"} 5.0' in page
    assert 'seconds_count{endpoint="/x"} 5.0' in page
    assert 'seconds_sum{endpoint="/x"} 8.5' in page


def test_the_gauges_of_a_worker_are_in_files_that_name_its_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(metrics.SHARED_DIRECTORY, str(tmp_path))
    monkeypatch.setattr("prometheus_client.metrics.values.ValueClass", values.MultiProcessValue())
    for mode in ("livesum", "livemax", "livemin", "livemostrecent"):
        Gauge(f"a_{mode}", "A gauge", multiprocess_mode=mode, registry=CollectorRegistry()).set(1)  # type: ignore[arg-type]
    found = [metrics._LIVE_FILE.fullmatch(path.name) for path in tmp_path.glob("gauge_live*.db")]
    assert [named and named[1] for named in found] == [str(os.getpid())] * 4
