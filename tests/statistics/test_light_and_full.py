"""A light snapshot and its completion: the same numbers as a full one of the same rows."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from polar_monitor.regime.judge import judge
from polar_monitor.statistics.snapshot import DRAWN, Snapshot
from polar_monitor.statistics.stream import LatentStream

MISSING = (
    "entropy_knn", "entropy_knn_se", "entropy_hist", "entropy_hist_se", "max_correlation", "max_correlation_sampled",
    "ties", "mean_largest", "entropy_minmax", "posterior_deviation", "share_narrow", "share_standard",
    "share_collapsed", "drift", "drift_se", "joint_entropy", "joint_entropy_se", "effective_rank",
)  # fmt: skip
"""What a light snapshot does not have."""


def fed(with_variance: bool, per: int, seeds: range, window: int = 1024) -> LatentStream:
    """A stream of blocks of 640 rows, recorded at steps 0, 10, 20, ..."""
    stream = LatentStream(3, window=window, has_variance=with_variance)
    for seed in seeds:
        rng = np.random.default_rng(seed)
        mean = (rng.normal(size=(640, 3)) * [1.0, 0.02, 0.7]).astype(np.float32)
        variance = (np.exp(0.2 * rng.normal(size=(640, 3))) * [0.05, 0.99, 0.4]).astype(np.float32)
        stream.update(mean, variance if with_variance else None, per, steps=10 * seed)
    return stream


def assert_same(one: Snapshot, other: Snapshot, but: tuple[str, ...] = ()) -> None:
    for f in fields(Snapshot):
        a, b = getattr(one, f.name), getattr(other, f.name)
        if f.name in DRAWN:
            assert f.name in but or len(a) == len(b)
        elif f.name not in but:
            np.testing.assert_array_equal(a, b, err_msg=f.name)


each = pytest.mark.parametrize(("with_variance", "per"), [(True, 1), (True, 4), (False, 1), (False, 4)])


@each
def test_a_light_snapshot_completed_is_the_full_one(with_variance: bool, per: int) -> None:
    full = fed(with_variance, per, range(3)).snapshot(20)
    stream = fed(with_variance, per, range(3))
    light = stream.snapshot(20, full=False)
    assert full.full and not light.full
    assert_same(light, full, (*MISSING, "full", "covered", "surplus", *DRAWN))
    assert judge(light).labels == judge(full).labels
    for name in MISSING:
        assert np.isnan(getattr(light, name)).all(), name
    assert np.isfinite(full.drift).all()
    assert light.histograms == ()
    complete = stream.complete(light)
    assert_same(complete, full)
    assert stream.complete(complete) is complete


@each
def test_light_ones_between_change_nothing(with_variance: bool, per: int) -> None:
    plain, with_light = (fed(with_variance, per, range(0)) for _ in range(2))
    for seed in range(6):
        rows = fed(with_variance, per, range(seed, seed + 1))
        for stream in (plain, with_light):
            stream.merge(rows)
        if seed < 5:
            with_light.snapshot(10 * seed, full=False)
    assert_same(plain.snapshot(50), with_light.snapshot(50))


def test_a_loaded_stream_completes_the_snapshot_of_the_one_that_was_saved() -> None:
    stream = fed(True, 1, range(3))
    light = stream.snapshot(20, full=False)
    loaded = LatentStream(3, window=1024)
    loaded.load_state_dict(stream.state_dict())
    assert_same(loaded.complete(light), stream.complete(light))


def test_every_snapshot_counts_the_repeats_of_its_own_window() -> None:
    stream, rng = LatentStream(2, window=1024), np.random.default_rng(0)
    inputs = rng.normal(size=(32, 2)).astype(np.float32)

    def feed(rows: Any) -> None:
        stream.update(rows, np.full(rows.shape, 0.01, np.float32))

    feed(np.tile(inputs, (32, 1)))
    full = stream.snapshot(0)
    assert (full.repeats, full.independent) == (32.0, 32)
    feed(rng.normal(size=(1024, 2)).astype(np.float32))
    light = stream.snapshot(1, full=False)
    assert (light.repeats, light.independent) == (1.0, 1024)
    assert stream.snapshot(2).repeats == 1.0


def test_a_snapshot_says_from_which_steps_its_rows_are() -> None:
    stream = fed(True, 1, range(5))
    for s in (stream.snapshot(45, full=False), stream.snapshot(45)):
        assert (s.rows_from, s.rows_to, s.n) == (30, 40, 1024)
    assert (LatentStream(1).snapshot(3).rows_from, LatentStream(1).snapshot(3).rows_to) == (-1, -1)
