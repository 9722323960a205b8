"""A dimension that moves through a cut has no label: what its window says is not true any more when it is read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from labels_twin import Z_MOVES
from records import PASSIVE as PASSIVE_DIMENSION
from records import make_snapshot

from polar_monitor.regime.judge import judge
from polar_monitor.regime.label import Label
from polar_monitor.regime.motion import MAX_AHEAD, ahead_of
from polar_monitor.regime.regime import Regime, Verdict
from polar_monitor.statistics.snapshot import Snapshot

ACTIVE, PASSIVE, UNDECIDED = Label.ACTIVE, Label.PASSIVE, Label.UNDECIDED
SE = 0.002


def seen(step: int, nats: Sequence[float], se: float = SE, rows: int = 32) -> Snapshot:
    """Return a window of the `rows` steps before `step`."""
    s = make_snapshot(step, [PASSIVE_DIMENSION] * len(nats), information=list(nats), bins=4)
    return replace(
        s, rows=128 * step, n=4096, rows_from=step - rows, rows_to=step, information_se=np.full(len(nats), se),
        information_upper=np.array(nats) + 1.0,
    )  # fmt: skip


def labels(levels: Sequence[float], se: float = SE, every: int = 50) -> list[Label]:
    """Return the labels of a dimension at evaluations `every` steps apart; another one carries 2 nats."""
    regime, found = None, []
    for t, nats in enumerate(levels):
        regime = judge(seen(500 + every * t, [nats, 2.0], se), regime)
        found.append(regime.labels[0])
    return found


def test_a_dimension_that_falls_through_a_cut_has_no_label() -> None:
    assert labels([0.30, 0.24, 0.18, 0.12]) == [ACTIVE, ACTIVE, UNDECIDED, UNDECIDED]
    assert labels([0.30, 0.24, 0.18, 0.18]) == [ACTIVE, ACTIVE, UNDECIDED, ACTIVE]
    assert labels([0.01, 0.04, 0.08]) == [PASSIVE, UNDECIDED, UNDECIDED]
    assert labels([0.30, 0.07, 0.03]) == [ACTIVE, UNDECIDED, PASSIVE]


def test_one_that_moves_away_from_the_cut_or_not_surely_keeps_its_label() -> None:
    assert labels([0.12, 0.18]) == [UNDECIDED, ACTIVE]
    assert labels([0.08, 0.04]) == [UNDECIDED, PASSIVE]
    small = 0.9 * Z_MOVES * np.sqrt(2.0) * SE
    assert labels([0.165, 0.165 - small]) == [ACTIVE, ACTIVE]


def test_what_moves_is_not_held() -> None:
    """Of a stationary one this evaluation, less than 3.29 errors beyond the cut, would change nothing."""
    assert labels([0.2, 0.143], se=0.0034) == [ACTIVE, UNDECIDED]
    assert labels([0.155, 0.143], se=0.0034)[1] is not PASSIVE
    assert labels([0.07, 0.044], se=0.0029) == [UNDECIDED, PASSIVE]


def test_the_reason_says_that_it_moves_and_survives_json() -> None:
    before = judge(seen(500, [0.24, 2.0, 0.01]))
    regime = judge(seen(550, [0.18, 2.0, 0.04]), before)
    assert regime.latest == (ACTIVE, ACTIVE, PASSIVE)
    assert regime.labels == (UNDECIDED, ACTIVE, UNDECIDED)
    (reason,) = (reason for reason in regime.reasons if reason.startswith("undecided while they move through a cut: "))
    assert "dimension 0 undecided at 0.180 ± 0.002 nats (this evaluation alone says active; it falls and" in reason
    assert "dimension 2 undecided at 0.040 ± 0.002 nats (this evaluation alone says passive; it rises and" in reason
    assert not any("held" in reason for reason in regime.reasons)
    assert regime.explain(0).startswith("dimension 0 is undecided; this evaluation alone says active; it falls and")
    assert regime.verdict is Verdict.GRADED
    again = Regime.from_dict(json.loads(json.dumps(regime.to_dict())), regime.snapshot)
    assert again == regime
    later = seen(600, [0.18, 2.0, 0.04])
    assert judge(later, again).labels == judge(later, regime).labels == (ACTIVE, ACTIVE, PASSIVE)


@pytest.mark.parametrize("every", [10, 50, 500])
def test_a_stationary_dimension_does_not_move(every: int) -> None:
    rng = np.random.default_rng(every)
    levels = 0.17 + SE * rng.normal(size=2000)
    assert sum(label is UNDECIDED for label in labels(levels.tolist(), every=every)) <= 1


def test_the_label_is_about_half_an_interval_after_the_evaluation() -> None:
    one, two = seen(500, [1.0]), seen(550, [1.0])
    assert ahead_of(two, one) == pytest.approx((16 + 25) / 50)
    assert ahead_of(two, None) == ahead_of(two, seen(550, [1.0])) == ahead_of(two, seen(500, [1.0, 1.0])) == 0.0
    assert ahead_of(replace(two, rows_from=-1), one) == ahead_of(two, replace(one, rows_from=-1)) == 0.0
    assert ahead_of(seen(550, [1.0], rows=500), seen(540, [1.0], rows=500)) == MAX_AHEAD
