"""Labels as bytes, against the rules written out for one dimension at a time."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import ACTIVE, MIXED, PASSIVE, UNDECIDED, WINDOW, make_snapshot

from polar_monitor.regime import label_codes
from polar_monitor.regime.information import MIXED_GAP, MIXED_UPPER, MIXED_VALLEY, Z_VALLEY, by_information
from polar_monitor.regime.judge import judge
from polar_monitor.regime.label import Label
from polar_monitor.statistics import thresholds
from polar_monitor.statistics.snapshot import Snapshot

FIELDS = (
    "information", "information_upper", "variance_gap", "share_active", "share_passive", "valley", "upper_kind",
    "finite",
)  # fmt: skip
NEAR_THE_CUTS = st.one_of(
    st.floats(0, 1), st.sampled_from([math.nan, 0.0, 0.02, 0.05, 0.15, 0.5, 0.85, 4.0, math.inf, -math.inf])
)
ROWS = st.sampled_from([math.nan, 100.0, 511.0, 512.0, 4096.0])
DIMENSION = st.tuples(*[NEAR_THE_CUTS] * 7, ROWS, st.sampled_from([0.0, 0.005, 0.05, math.nan]))


def label_of(s: Snapshot, j: int) -> Label:
    """Return the label of one dimension by the sentences of the documentation."""
    value = {name: float(getattr(s, name)[j]) for name in FIELDS}
    error = {name: float(getattr(s, f"{name}_se")[j]) for name in FIELDS[:-1]}
    if s.independent < thresholds.MIN_ROWS or value["finite"] < thresholds.MIN_ROWS or math.isnan(value["information"]):
        return UNDECIDED
    bounds = [value[name] + thresholds.Z * error[name] for name in FIELDS[:2]]
    if any(bound <= thresholds.PASSIVE for bound in bounds):
        return PASSIVE
    low = {name: value[name] - thresholds.Z * error[name] for name in FIELDS[:-1]}
    two_kinds = value["valley"] + Z_VALLEY * error["valley"] <= MIXED_VALLEY and low["variance_gap"] >= MIXED_GAP
    if s.has_variance and two_kinds and all(low[share] >= thresholds.MIXED_SHARE for share in FIELDS[3:5]):
        return MIXED
    if s.has_variance and low["upper_kind"] >= MIXED_UPPER:
        return MIXED
    cut = thresholds.INFORMATIVE if s.has_variance else thresholds.INFORMATIVE_MEAN_ONLY
    return ACTIVE if low["information"] >= cut else UNDECIDED


@given(st.lists(DIMENSION, min_size=1, max_size=8), st.booleans(), st.sampled_from([511, WINDOW]))
def test_labels_are_those_of_one_dimension_at_a_time(
    rows: list[tuple[float, ...]], has_variance: bool, independent: int
) -> None:
    *values, errors = (np.array(column) for column in zip(*rows, strict=True))
    arrays = dict(zip(FIELDS, values, strict=True)) | {f"{name}_se": errors for name in FIELDS[:-1]}
    s = replace(make_snapshot(1, [PASSIVE] * len(rows), bins=4), has_variance=has_variance, independent=independent)
    s = replace(s, **arrays)
    assert by_information(s) == tuple(label_of(s, j) for j in range(len(rows)))


def test_codes_are_turned_into_the_same_tuple_each_time() -> None:
    labels = (ACTIVE, PASSIVE, MIXED, UNDECIDED, ACTIVE)
    codes = label_codes.encode(labels)
    assert label_codes.decode(codes) == labels
    assert label_codes.decode(bytes(bytearray(codes))) is label_codes.decode(codes)
    assert label_codes.where_informative(codes).tolist() == [True, False, True, False, True]
    assert label_codes.where_passive(codes).tolist() == [False, True, False, False, False]
    with pytest.raises(ValueError, match="read-only"):
        label_codes.where_passive(codes)[0] = True


def test_codes_are_no_part_of_the_record() -> None:
    regime = judge(make_snapshot(1, [ACTIVE, PASSIVE], bins=4))
    assert set(regime.to_dict()) == {
        "step", "labels", "latest", "verdict", "reasons", "criterion", "was_informative", "sides", "evidence",
    }  # fmt: skip
    moved = replace(regime, labels=(PASSIVE, PASSIVE))
    assert moved.codes.labels == label_codes.encode(moved.labels)
