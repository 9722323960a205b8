"""The kernel of the labels: its codes, and what the verdict asks; the labels themselves are tested with the rule."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labels_twin import DimensionTwin
from numpy.typing import NDArray

from polar_monitor.kernels.judging import labels
from polar_monitor.regime import label_codes

CUTS = (1.96, 3.0, 0.05, 0.15, 0.02, 0.05, 0.85, 0.5, 512.0, 3.29, 1.0, 7.6, 4.0)
INFORMATION = st.one_of(st.floats(0, 3), st.sampled_from([math.nan, math.inf, -math.inf]))


def test_codes_are_those_of_the_labels() -> None:
    for name in ("PASSIVE", "UNDECIDED", "MIXED", "ACTIVE"):
        assert getattr(labels, name) == getattr(label_codes, name) == label_codes.CODES[label_codes.Label[name]]


def labelled(numbers: NDArray[Any], has_variance: bool = True) -> tuple[list[int], tuple[float, ...]]:
    """Return the codes of a first evaluation, which are those of that evaluation alone, and the bounds."""
    codes = np.empty((2, numbers.shape[1]), np.uint8)
    sides, evidence = np.zeros(numbers.shape[1], np.uint8), np.zeros((3, numbers.shape[1]))
    unknown, held, *bounds = labels.label(numbers, has_variance, CUTS, 1.0, numbers, 0.0, sides, evidence, codes)
    assert held == 0
    assert codes[0].tolist() == codes[1].tolist()
    assert not evidence.any()
    return codes[0].tolist(), (unknown, *bounds)


def test_known_values() -> None:
    numbers = np.full((15, 4), 0.01)
    numbers[0], numbers[2], numbers[4], numbers[6], numbers[8] = (2.0, 0.01, 0.1, 1.0), 9.0, 0.4, 0.5, 0.5
    numbers[10], numbers[12], numbers[14] = (1.0, 1.0, 1.0, 0.2), np.nan, 4096.0
    codes, bounds = labelled(numbers)
    assert codes == [labels.ACTIVE, labels.PASSIVE, labels.UNDECIDED, labels.MIXED]
    assert bounds == (0, 1.0, 0.01)
    assert labelled(numbers, False)[0][3] == labels.ACTIVE
    numbers[8], numbers[10], numbers[12] = 0.0, 1.0, (0.6, np.nan, 0.5, 0.3)
    assert labelled(numbers)[0] == [labels.MIXED, labels.PASSIVE, labels.UNDECIDED, labels.ACTIVE]
    assert labelled(numbers, False)[0][0] == labels.ACTIVE


@given(st.lists(INFORMATION, max_size=8), st.sampled_from([100.0, 4096.0]))
def test_bounds_of_the_groups(information: list[float], finite: float) -> None:
    numbers = np.full((15, len(information)), 0.01)
    numbers[0], numbers[2], numbers[10], numbers[12], numbers[14] = information, np.nan, 1.0, np.nan, finite
    codes, (unknown, weakest, strongest) = labelled(numbers)
    few = finite < CUTS[8]
    assert unknown == sum(few or math.isnan(nats) for nats in information)
    known = [(nats, code) for nats, code in zip(information, codes, strict=True) if math.isfinite(nats)]
    assert weakest == min((nats for nats, code in known if code >= labels.MIXED), default=math.inf)
    assert strongest == max((nats for nats, code in known if code == labels.PASSIVE), default=-math.inf)


SPECIAL = st.sampled_from([math.nan, 0.0, 0.02, 0.05, 0.15, 0.85, 1.0, 4.0, math.inf, -math.inf])
STEP = st.tuples(
    *[st.one_of(st.floats(0, 1), SPECIAL)] * 6,
    st.one_of(st.floats(0.3, 1), st.just(math.nan), SPECIAL),
    st.sampled_from([0.0, 0.005, 0.03, 0.05, 0.3, math.nan, math.inf]),
    st.sampled_from([100.0, 4096.0, math.nan]),
    st.sampled_from([0.0, 0.01, 0.5, 1.0]),
    st.one_of(st.floats(0, 0.3), SPECIAL),
    st.sampled_from([0.0, 0.7, 2.0]),
)


@given(st.lists(STEP, min_size=1, max_size=30), st.booleans())
@settings(max_examples=300, deadline=None)
def test_the_answers_are_those_of_the_rule_written_out(steps: list[tuple[float, ...]], has_variance: bool) -> None:
    """One dimension through many evaluations; the twin has one small object for each question."""
    twin, sides, evidence = DimensionTwin(has_variance), np.zeros(1, np.uint8), np.zeros((3, 1))
    codes = np.empty((2, 1), np.uint8)
    for *values, error, finite, share, before, ahead in steps:
        numbers = np.full((15, 1), error)
        numbers[0:14:2, 0] = values
        numbers[14] = finite
        earlier = np.array([[before], [error]])
        labels.label(numbers, has_variance, CUTS, share, earlier, ahead, sides, evidence, codes)
        label, latest = twin.judge(values, error, finite, share, before, ahead)
        assert (codes[0, 0], codes[1, 0]) == (label, latest)
        assert bool(sides[0] & labels.MOVES) == twin.moves
        assert bool(sides[0] & labels.GAP) == twin.by_gap
        for question, answer in enumerate(twin.answers):
            assert (sides[0] >> 2 * question) & 3 == {None: 0, False: 1, True: 2}[answer.side]
            assert evidence[question, 0] == pytest.approx(answer.total, abs=1e-9)
