"""Histograms in a line of the log: exact counts, few bins, and only where an evaluation is drawn."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from records import ACTIVE, PASSIVE, light, make_evaluation

from polar_monitor.regime.regime import Verdict
from polar_monitor.sinks.distributions import MAX_BINS, distributions
from polar_monitor.sinks.jsonl import JsonlSink
from polar_monitor.sinks.jsonl_record import from_data, to_line
from polar_monitor.statistics.snapshot import Histogram
from polar_monitor.statistics.stream import LatentStream


def test_histograms_hold_the_rows_of_the_window() -> None:
    rng = np.random.default_rng(0)
    mean = rng.normal(0, [2.0, 0.01, 1.0], (4096, 3)).astype(np.float32)
    variance = np.exp(rng.normal(-2.0, [0.5, 0.01, 1.5], (4096, 3))).astype(np.float32)
    stream = LatentStream(3)
    stream.update(mean, variance)
    data = distributions(stream.snapshot(1))
    assert data is not None
    assert data["dimensions"] == [0, 1, 2]
    for name, values in (("mean", mean), ("log_variance", np.log(variance))):
        for j, (left, width, counts) in enumerate(data[name]):
            edges = left + width * np.arange(len(counts) + 1)
            slow, _ = np.histogram(values[:, j].astype(np.float64), edges)
            assert 1 <= len(counts) <= MAX_BINS
            assert counts[0] > 0 and counts[-1] > 0
            assert sum(counts) == len(values)
            np.testing.assert_array_equal(counts, slow)


def test_a_wide_latent_has_those_with_most_information() -> None:
    nats = np.arange(100.0)[::-1].copy()
    snapshot = make_evaluation(labels=(ACTIVE,) * 100, information=nats, bins=8).snapshot
    assert snapshot is not None
    data = distributions(snapshot)
    assert data is not None
    assert data["dimensions"] == list(range(64))
    assert len(data["mean"]) == len(data["log_variance"]) == 64


def test_what_has_no_finite_value_is_null_and_no_variance_has_one_kind() -> None:
    snapshot = make_evaluation(labels=(ACTIVE, PASSIVE), bins=8).snapshot
    assert snapshot is not None
    empty = Histogram(math.nan, math.nan, np.zeros(0, np.int64), math.nan, math.nan)
    data = distributions(replace(snapshot, histograms=(empty, snapshot.histograms[1]), log_variance_histograms=()))
    assert data is not None
    assert data["mean"][0] is None
    assert "log_variance" not in data
    assert distributions(light(snapshot)) is None


def test_few_lines_have_them_and_readers_leave_them_out(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "polar.jsonl")
    run = [make_evaluation(step) for step in range(1, 41)]
    run[19] = make_evaluation(20, verdict=Verdict.COLLAPSED)
    run[20:] = [make_evaluation(step, verdict=Verdict.COLLAPSED) for step in range(21, 41)]
    for one in run:
        sink.write(one)
    sink.close()
    records = [json.loads(line) for line in (tmp_path / "polar.jsonl").read_bytes().splitlines()]
    assert [record["step"] for record in records if "distributions" in record] == [1, 3, 7, 15, 20, 28, 36]
    assert run[0].snapshot is not None
    plain = from_data(json.loads(to_line(run[0])))
    drawn = from_data(json.loads(to_line(run[0], histograms=distributions(run[0].snapshot))))
    assert drawn.snapshot is not None and plain.snapshot is not None
    assert drawn.snapshot.to_dict() == plain.snapshot.to_dict()
