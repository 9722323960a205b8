"""The table of a regime: it fits the terminal, keeps every number, and folds what is out of use."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from records import ACTIVE, PASSIVE, UNDECIDED, make_evaluation

from polar_monitor.regime.label import Label
from polar_monitor.regime.regime import Regime
from polar_monitor.regime.regime_table import table


def regime_of(labels: Sequence[Label], nats: Sequence[float] | None = None) -> Regime:
    evaluation = make_evaluation(labels=labels, information=nats, bins=2)
    assert evaluation.regime is not None
    return replace(evaluation.regime, snapshot=evaluation.snapshot)


def numbers(lines: Sequence[str]) -> list[int]:
    return [int(line.split()[0]) for line in lines if re.match(r" +\d+  \w+ +[\d.]+ ", line)]


def test_dimensions_in_use_come_first_then_what_is_open_and_the_rest_is_one_line() -> None:
    regime = regime_of((PASSIVE, ACTIVE, UNDECIDED, ACTIVE, PASSIVE), (0.001, 0.5, 0.1, 2.0, 0.004))
    lines = table(regime, 100, 20)
    assert numbers(lines) == [3, 1, 2]
    assert lines[-1] == "  2 more, 0.004 nats or less, passive"
    assert numbers(table(regime, 100, None)) == [3, 1, 2, 4, 0]
    assert numbers(table(regime, 100, 20, gone=[0])) == [3, 1, 2, 0]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_it_keeps_to_width_and_height_and_cuts_no_number(width: int) -> None:
    regime = regime_of([ACTIVE] * 200 + [PASSIVE] * 312)
    remark = "lost ≈ step 2,415,000, fading"
    lines = table(regime, width, 12, remark=lambda j: remark if j % 2 else "")
    assert len(lines) <= 13
    assert max(map(len, lines)) <= width
    assert len(numbers(lines)) >= 3
    assert remark in "\n".join(lines)
    snapshot = regime.snapshot
    assert snapshot is not None
    for j in numbers(lines):
        assert f"{snapshot.information[j]:.3f}" in "\n".join(lines)
    assert re.search(r"(\d+) more, [\d.]+ nats or less: \1 in use", " ".join(" ".join(lines).split()))


def test_512_dimensions_read_like_10() -> None:
    wide, narrow = ([ACTIVE] * 3 + [PASSIVE] * more for more in (509, 7))
    assert len(table(regime_of(wide), 80, 20)) == len(table(regime_of(narrow), 80, 20)) == 5


def test_a_regime_prints_its_table_and_its_repr_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "24")
    regime = regime_of([ACTIVE] * 300)
    text = str(regime).splitlines()
    assert text[0] == "step 100: polarised; 300 active"
    assert len(text) < 24
    assert max(map(len, text)) <= 60
    assert "\n" not in repr(regime)
    assert "\n" not in repr(make_evaluation())


def test_dimensions_without_a_number_are_one_line() -> None:
    nan = float("nan")
    lines = table(regime_of((PASSIVE, PASSIVE), (nan, nan)), 80, 10)
    assert lines == ["  all 2, no finite number, passive"]


def test_the_drift_is_in_standard_deviations_with_its_error_and_columns_without_a_number_are_left_out() -> None:
    regime = regime_of((ACTIVE, ACTIVE), (2.0, 1.0))
    snapshot = regime.snapshot
    assert snapshot is not None
    head, row, other = table(regime, 100, None)
    assert "drift" not in head
    drift, error = np.array([0.5, math.nan]), np.array([0.125, math.nan])  # V + E is 1
    moved = replace(regime, snapshot=replace(snapshot, drift=drift, drift_se=error, kl=np.full(2, math.nan)))
    head, row, other = table(moved, 100, None)
    assert "drift ± se" in head
    assert "KL" not in head
    assert "  0.50 ± 0.12  " in row
    assert re.search(r"  - ", other)
    assert len(head) == len(row) == len(other)
    assert "has moved its mean by 0.5 ± 0.1 standard deviations" in moved.explain(0)
    assert "moved its mean" not in moved.explain(1)


def test_nothing_is_printed_without_statistics() -> None:
    assert table(Regime.from_dict(regime_of((ACTIVE,)).to_dict()), 80, 10) == []


def test_an_undecided_dimension_is_likely_in_use_by_the_cut_that_is_nearer() -> None:
    labels = (ACTIVE, PASSIVE, UNDECIDED, UNDECIDED, UNDECIDED)
    regime = regime_of(labels, (0.05, 0.15, 0.08, 0.095, float("nan")))  # the cuts are 0.05 and 0.15
    assert regime.informative == (0,)
    assert regime.likely_in_use == (0, 3)
    assert replace(regime, snapshot=None).likely_in_use == (0,)
    assert replace(regime, criterion="bonheme").likely_in_use == (0,)
    assert regime.snapshot is not None
    code = replace(regime, snapshot=replace(regime.snapshot, has_variance=False))  # 0.05 and 0.35
    assert code.likely_in_use == (0,)
    few = replace(regime, snapshot=replace(regime.snapshot, independent=100))
    assert few.likely_in_use == (0,)
