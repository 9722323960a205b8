"""The kernel of the labels: its codes, and what the verdict asks; the labels themselves are tested with the rule."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from polar_monitor.kernels.judging import labels
from polar_monitor.regime import label_codes

CUTS = (1.96, 3.0, 0.05, 0.15, 0.02, 0.05, 0.85, 512.0)
INFORMATION = st.one_of(st.floats(0, 3), st.sampled_from([math.nan, math.inf, -math.inf]))


def test_codes_are_those_of_the_labels() -> None:
    for name in ("PASSIVE", "UNDECIDED", "MIXED", "ACTIVE"):
        assert getattr(labels, name) == getattr(label_codes, name) == label_codes.CODES[label_codes.Label[name]]


def test_known_values() -> None:
    numbers = np.full((13, 4), 0.01)
    numbers[0], numbers[2], numbers[4], numbers[6], numbers[8] = (2.0, 0.01, 0.1, 1.0), 9.0, 0.4, 0.5, 0.5
    numbers[10], numbers[12] = (1.0, 1.0, 1.0, 0.2), 4096.0
    codes = np.empty(4, np.uint8)
    unknown, weakest, strongest = labels.label(numbers, True, CUTS, codes)
    assert codes.tolist() == [labels.ACTIVE, labels.PASSIVE, labels.UNDECIDED, labels.MIXED]
    assert (unknown, weakest, strongest) == (0, 1.0, 0.01)
    labels.label(numbers, False, CUTS, codes)
    assert codes[3] == labels.ACTIVE


@given(st.lists(INFORMATION, max_size=8), st.sampled_from([100.0, 4096.0]))
def test_bounds_of_the_groups(information: list[float], finite: float) -> None:
    numbers = np.full((13, len(information)), 0.01)
    numbers[0], numbers[2], numbers[10], numbers[12] = information, np.nan, 1.0, finite
    codes = np.empty(len(information), np.uint8)
    unknown, weakest, strongest = labels.label(numbers, True, CUTS, codes)
    few = finite < CUTS[-1]
    assert unknown == sum(few or math.isnan(nats) for nats in information)
    known = [(nats, code) for nats, code in zip(information, codes.tolist(), strict=True) if math.isfinite(nats)]
    assert weakest == min((nats for nats, code in known if code >= labels.MIXED), default=math.inf)
    assert strongest == max((nats for nats, code in known if code == labels.PASSIVE), default=-math.inf)
