"""A rounded snapshot: few digits, the same counts, and the labels of the numbers that a log holds."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from records import ACTIVE, PASSIVE, make_snapshot

from polar_monitor.statistics.rounding import COUNTS, SIZES, rounded
from polar_monitor.statistics.snapshot import DRAWN, Snapshot
from polar_monitor.statistics.stream import LatentStream


def measured() -> Snapshot:
    rng = np.random.default_rng(0)
    stream = LatentStream(3)
    stream.update(rng.normal(size=(700, 3)).astype(np.float32), np.full((700, 3), 0.1, np.float32))
    return stream.snapshot(step=3)


def test_every_array_is_rounded_or_a_count() -> None:
    assert {f.name for f in fields(Snapshot) if f.type == "Array"} == {*SIZES, *COUNTS}


def test_statistics_keep_sixteen_bits_and_errors_eight() -> None:
    one = make_snapshot(100, (ACTIVE, PASSIVE))
    rng = np.random.default_rng(1)
    exact = {name: rng.lognormal(0.0, 5.0, 2) for name in (*SIZES, *COUNTS)}
    vars(one).update(exact)
    short = rounded(one)
    for name, size in SIZES.items():
        np.testing.assert_allclose(getattr(short, name), exact[name], rtol=2.0 ** (8 - 8 * size), atol=0)
        assert (getattr(short, name) != exact[name]).all()
    for name in COUNTS:
        assert getattr(short, name) is exact[name]


def test_nothing_else_changes_and_a_second_time_nothing_at_all() -> None:
    once = measured()
    twice = rounded(once)
    assert twice is not once
    assert twice.histograms is once.histograms
    for f in fields(Snapshot):
        if f.name not in DRAWN:
            np.testing.assert_array_equal(getattr(twice, f.name), getattr(once, f.name), err_msg=f.name)


def test_the_statistics_of_a_stream_are_rounded() -> None:
    s = measured()
    for name, size in SIZES.items():
        bits = getattr(s, name).astype(np.float32).view(np.uint32)
        assert (bits % 2 ** (32 - 8 * size) == 0).all(), name
