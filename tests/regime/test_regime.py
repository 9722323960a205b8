"""Labels and verdicts from constructed snapshots."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from records import ACTIVE, MIXED, PASSIVE, UNDECIDED, make_snapshot

from polar_monitor import PolarMonitorError
from polar_monitor.criteria import CRITERIA, labels_by
from polar_monitor.regime.judge import judge
from polar_monitor.regime.label import Label
from polar_monitor.regime.regime import Regime, Verdict
from polar_monitor.statistics.resolution import relative
from polar_monitor.statistics.snapshot import Snapshot


def snapshot(nats: list[float], error: float = 0.005, **changes: Any) -> Snapshot:
    """Dimensions with this information; `changes` replace arrays by name."""
    base = make_snapshot(100, [PASSIVE] * len(nats), information=nats)
    arrays = {"information_se": np.full(len(nats), error), "information_upper_se": np.full(len(nats), error)}
    return replace(base, **arrays, **{name: np.asarray(v, float) if np.ndim(v) else v for name, v in changes.items()})


def test_the_cuts_are_on_the_confidence_bounds() -> None:
    s = snapshot([0.03, 0.045, 0.10, 0.155, 0.17], information_upper=[9.0] * 5)
    assert judge(s).labels == (PASSIVE, UNDECIDED, UNDECIDED, UNDECIDED, ACTIVE)


def test_the_certificate_alone_makes_a_dimension_passive() -> None:
    s = snapshot([0.045], error=0.005, information_upper=[0.03])
    regime = judge(s)
    assert regime.labels == (PASSIVE,)
    assert "from the moments" in regime.explain(0)


@pytest.mark.parametrize(
    ("active", "passive", "gap", "valley", "label"),
    [
        (0.5, 0.5, 0.4, 0.1, MIXED),
        (0.97, 0.02, 0.4, 0.1, ACTIVE),
        (0.02, 0.97, 0.4, 0.1, ACTIVE),
        (0.5, 0.5, 0.01, 0.1, ACTIVE),
        (0.5, 0.5, 0.4, 0.84, ACTIVE),  # its error is 0.01
        (0.5, 0.5, 0.4, 0.81, MIXED),
        (0.3, 0.3, 0.4, 0.1, MIXED),
    ],
)
def test_mixed_needs_both_shares_a_gap_and_a_valley(
    active: float, passive: float, gap: float, valley: float, label: Label
) -> None:
    s = snapshot([1.0], share_active=[active], share_passive=[passive], variance_gap=[gap], valley=[valley])
    assert judge(s).labels == (label,)


def test_a_mixed_dimension_need_not_carry_much() -> None:
    s = snapshot([0.08], share_active=[0.1], share_passive=[0.9], variance_gap=[0.1], valley=[0.0])
    assert judge(s).labels == (MIXED,)
    assert judge(replace(s, valley=np.ones(1))).labels == (UNDECIDED,)


def test_without_a_variance_nothing_is_mixed_and_the_cut_is_higher() -> None:
    s = snapshot([1.0, 0.25, 0.01], has_variance=False, resolution=0.1, effective_rank=3.0, share_active=[0.5] * 3)
    regime = judge(s)
    assert regime.labels == (ACTIVE, UNDECIDED, PASSIVE)
    assert any("cannot be distinguished" in reason for reason in regime.reasons)


def test_a_low_rank_code_that_is_not_axis_aligned_is_reported() -> None:
    s = snapshot([2.0] * 6, has_variance=False, resolution=0.1, surplus=2.0)
    assert any("not axis-aligned: 2 more dimensions are in use than" in reason for reason in judge(s).reasons)
    for surplus in (0.0, math.nan):
        assert not any("axis" in reason for reason in judge(replace(s, surplus=surplus)).reasons)


def test_too_few_rows_decide_nothing() -> None:
    regime = judge(snapshot([1.0, 0.01], independent=511))
    assert regime.labels == (UNDECIDED, UNDECIDED)
    assert regime.verdict is Verdict.NOT_ESTIMABLE
    assert "511" in regime.explain(0)


def test_a_dimension_without_a_finite_value_leaves_the_others_judged() -> None:
    assert judge(snapshot([math.nan, 1.0])).labels == (UNDECIDED, ACTIVE)


def test_too_few_finite_rows_of_a_dimension_decide_nothing_of_it() -> None:
    regime = judge(snapshot([1.0, 0.01, 1.0], finite=[511, 64, 512], independent=2000))
    assert regime.labels == (UNDECIDED, UNDECIDED, ACTIVE)
    assert "only 64 of 2000 independent rows are finite in it, 512 are needed" in regime.explain(1)
    assert judge(snapshot([1.0], finite=[math.nan])).labels == (ACTIVE,)  # a log that does not say


@pytest.mark.parametrize(
    ("nats", "verdict"),
    [
        ([0.01, 0.02, math.nan], Verdict.COLLAPSED),
        ([2.0, 0.01, math.nan], Verdict.POLARISED),
        ([2.0, math.nan], Verdict.ALL_ACTIVE),
        ([2.0, 0.01, 0.1, math.nan], Verdict.GRADED),
        ([0.01, math.nan, math.nan], Verdict.NOT_ESTIMABLE),
        ([math.nan] * 3, Verdict.NOT_ESTIMABLE),
    ],
)
def test_the_verdict_is_of_the_dimensions_that_can_be_estimated(nats: list[float], verdict: Verdict) -> None:
    regime = judge(snapshot(nats))
    assert regime.verdict is verdict
    missing = [str(j) for j, value in enumerate(nats) if math.isnan(value)]
    where = f"dimension{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
    reason = f"{len(missing)} of {len(nats)} dimensions could not be estimated: too few finite rows in {where}"
    assert regime.reasons[1] == reason


def test_reasons_name_few_of_many_dimensions() -> None:
    reasons = judge(snapshot([2.0] * 20 + [math.nan] * 9)).reasons
    assert reasons[1].endswith("in dimensions 20, 21, 22, 23, 24, …")


def test_what_a_published_criterion_leaves_open_lies_between_no_groups() -> None:
    s = snapshot([2.0, 1.0, 0.01], posterior_deviation=[0.1, 0.7, 1.0], share_narrow=[1.0, 0.0, 0.0],
                 share_standard=[0.0, 0.0, 1.0])  # fmt: skip
    regime = judge(s, None, "clapham_code")
    assert regime.labels[1] is UNDECIDED
    assert regime.verdict is Verdict.GRADED
    assert "have no label by clapham_code" in regime.reasons[0]
    assert not any("between" in reason for reason in regime.reasons)


@pytest.mark.parametrize(
    ("nats", "verdict"),
    [
        ([2.0, 1.0, 0.01], Verdict.POLARISED),
        ([2.0, 1.0], Verdict.ALL_ACTIVE),
        ([0.001, 0.01], Verdict.COLLAPSED),
        ([2.0, 0.1, 0.01], Verdict.GRADED),
        ([2.0] * 9 + [0.01] * 9 + [0.1], Verdict.POLARISED),
        ([0.1, 0.1], Verdict.GRADED),
    ],
)
def test_verdicts(nats: list[float], verdict: Verdict) -> None:
    assert judge(snapshot(nats)).verdict is verdict


def test_a_polarised_regime_needs_a_gap_between_its_groups() -> None:
    close = snapshot([0.19, 0.19, 0.058, 0.058], error=0.001, information_upper=[1, 1, 0.04, 0.04])
    assert judge(close).labels == (ACTIVE, ACTIVE, PASSIVE, PASSIVE)
    assert judge(close).verdict is Verdict.GRADED


def test_a_group_of_which_no_information_is_known_has_no_distance() -> None:
    s = snapshot([math.nan, 0.01], variance=[1.0, 0.0])
    regime = judge(s, None, "active_units")
    assert regime.labels == (ACTIVE, PASSIVE)
    assert regime.verdict is Verdict.NOT_ESTIMABLE
    assert "distance of the two groups is not known" in regime.reasons[0]
    third = snapshot([math.nan, 1.0, 0.01], variance=[1.0, 1.0, 0.0])
    assert judge(third, None, "active_units").verdict is Verdict.POLARISED


def test_explain_refuses_a_dimension_that_is_not_there() -> None:
    with pytest.raises(IndexError, match="from 0 to 0, got 1"):
        judge(snapshot([1.0])).explain(1)
    for wrong in ("0", 0.0, [0]):
        with pytest.raises(TypeError, match=r"whole number from 0 to 0, got .*explain\(0\)"):
            judge(snapshot([1.0])).explain(wrong)  # type: ignore[arg-type]
    assert judge(snapshot([1.0])).explain(np.int64(0)) == judge(snapshot([1.0])).explain(0)  # type: ignore[arg-type]


def test_labels_do_not_depend_on_the_order_of_dimensions() -> None:
    nats = [2.0, 0.01, 0.1, 0.5]
    forward, backward = judge(snapshot(nats)), judge(snapshot(nats[::-1]))
    assert forward.labels == backward.labels[::-1]


def test_published_criteria_on_the_cases_that_mislead_them() -> None:
    """Known synthetic cases: constant mean with a small variance, homogeneous variance, ten per cent mixed."""
    s = snapshot(
        [0.0, 0.59, 0.228],
        variance=[0.0, 0.69, 0.12],
        posterior_variance=[0.02, 0.3, 0.9],
        posterior_variance_spread=[0.0, 0.0, 0.09],
        kl=[1.466, 0.591, 0.23],
        entropy_knn=[-5.5, 1.22, -1.84],
    )
    assert CRITERIA["bonheme"](s) == (ACTIVE, MIXED, PASSIVE)
    assert CRITERIA["active_units"](s) == (PASSIVE, ACTIVE, ACTIVE)
    assert CRITERIA["kl"](s) == (ACTIVE, ACTIVE, ACTIVE)
    assert CRITERIA["rolinek"](s) == (PASSIVE, ACTIVE, PASSIVE)
    assert CRITERIA["mean_entropy"](s) == (PASSIVE, ACTIVE, PASSIVE)
    assert judge(s, None, "bonheme").labels == (ACTIVE, MIXED, PASSIVE)


@pytest.mark.parametrize("name", sorted(CRITERIA))
def test_criteria_leave_what_is_not_known_undecided(name: str) -> None:
    nothing = {key: [math.nan] for key in ("variance", "posterior_variance", "kl", "entropy_knn")}
    assert CRITERIA[name](snapshot([1.0], **nothing)) == (UNDECIDED,)


def test_an_unknown_criterion_lists_the_known_ones() -> None:
    with pytest.raises(PolarMonitorError, match="expected one of information, active_units, bonheme"):
        labels_by("nonsense", snapshot([1.0]))
    with pytest.raises(PolarMonitorError, match="expected one of information, active_units, bonheme"):
        judge(snapshot([1.0]), None, ["kl"])  # type: ignore[arg-type]
    assert labels_by("information", snapshot([1.0])) == (ACTIVE,)


def test_a_snapshot_survives_json() -> None:
    import json

    s = snapshot([1.0, math.nan])
    back = Snapshot.from_dict(json.loads(json.dumps(s.to_dict(), allow_nan=False)))
    for name, value in s.to_dict().items():
        assert back.to_dict()[name] == value, name


@pytest.mark.parametrize(
    ("upper", "gap", "label", "reason"),
    [
        (0.6, 0.4, MIXED, "σ² of the wider kind is 0.60 (V + E), surely at least 0.5"),
        (0.51, 0.4, ACTIVE, "two precisions: a nearly empty valley in σ² separates two kinds of inputs"),
        (0.2, 0.4, ACTIVE, "σ² of the wider kind is 0.20 (V + E), not surely at least 0.5"),
        (0.6, 0.016, MIXED, "variance gap 0.02 nats; a nearly empty valley in σ² separates two kinds"),
        (math.nan, 0.4, ACTIVE, "50% of the inputs clearly use it, 0% clearly do not"),
    ],
)
def test_the_upper_side_of_a_nearly_empty_valley_says_which_kinds(
    upper: float, gap: float, label: Label, reason: str
) -> None:
    s = snapshot([1.0], share_active=[0.5], share_passive=[0.0], variance_gap=[gap], upper_kind=[upper])
    regime = judge(replace(s, upper_kind_se=np.full(1, 0.01)))
    assert regime.labels == (label,)
    assert reason in regime.explain(0)
    assert ("two precisions" in regime.explain(0)) == (label is ACTIVE and not math.isnan(upper))


def code_of_scale(scale: float, t: int) -> Snapshot:
    """A code whose four dimensions have this standard deviation."""
    variance = np.full(4, scale**2)
    tau = relative(variance)
    return snapshot([2.0] * 4, has_variance=False, resolution=tau, variance=variance, step=50 * t, rows=4096 * (t + 1))


def test_a_scale_that_falls_slowly_is_compared_with_the_one_before() -> None:
    """One per cent an evaluation, with the noise of a window: too slow to see from one evaluation to the next."""
    rng, regime, shrunk = np.random.default_rng(0), None, []
    for t in range(190):
        fall = math.exp(-0.01 * max(t - 20, 0) + 0.01 * rng.normal())
        regime = judge(code_of_scale(fall, t), regime and Regime.from_dict(regime.to_dict(), regime.snapshot))
        shrunk.append(regime.has_shrunk)
    first = shrunk.index(True)
    assert abs(first - (20 + 100 * math.log(3))) <= 15
    assert all(shrunk[first + 10 :])
    assert any("has shrunk to 1/" in reason for reason in regime.reasons)  # type: ignore[union-attr]


@pytest.mark.parametrize(("rate", "noise"), [(0.001, 0.01), (0.002, 0.02), (0.0005, 0.005)])
def test_falls_that_no_evaluation_shows_are_seen(rate: float, noise: float) -> None:
    rng, regime, shrunk = np.random.default_rng(1), None, []
    for t in range(round(math.log(3.6) / rate)):
        regime = judge(code_of_scale(math.exp(-rate * t + noise * rng.normal()), t), regime)
        shrunk.append(regime.has_shrunk)
    assert abs(shrunk.index(True) * rate - math.log(3)) <= 0.15
    assert np.mean(shrunk[-50:]) > 0.95


def test_a_scale_with_noise_alone_has_not_shrunk() -> None:
    rng, regime = np.random.default_rng(2), None
    for t in range(600):
        regime = judge(code_of_scale(math.exp(0.02 * rng.normal()), t), regime)
        assert regime.shrinkage < 1.5


def test_a_scale_that_has_long_been_steady_is_the_new_one() -> None:
    regime = judge(code_of_scale(1.0, 0))
    for t in range(1, 180):
        regime = judge(code_of_scale(0.1, t), regime and Regime.from_dict(regime.to_dict(), regime.snapshot))
        assert regime.has_shrunk == (t < 167), t


def test_a_code_that_sits_on_a_floor_is_graded_and_asks_for_free_bits() -> None:
    floor = judge(snapshot([0.085, 0.086, 0.09, 0.088], error=0.002))
    assert floor.verdict is Verdict.GRADED
    assert floor.reasons[0].endswith("lie between the two groups, all at 0.087 nats: a free-bits floor?")
    some = judge(snapshot([2.0, 1.0, 0.1, 0.1, 0.105, 0.01], error=0.002))
    assert "all at 0.1 nats: a free-bits floor?" in some.reasons[0]


@pytest.mark.parametrize("nats", [[0.06, 0.09, 0.14], [0.1, 0.1]])
def test_dimensions_of_several_values_or_too_few_are_no_floor(nats: list[float]) -> None:
    regime = judge(snapshot(nats, error=0.002))
    assert regime.verdict is Verdict.GRADED
    assert "floor" not in regime.reasons[0]


def test_what_may_lie_on_either_side_of_a_cut_is_not_estimable() -> None:
    assert judge(snapshot([0.1, 0.1, 0.1], error=0.04)).verdict is Verdict.NOT_ESTIMABLE
    assert judge(snapshot([0.1, 0.06, 0.14], error=0.02)).verdict is Verdict.NOT_ESTIMABLE
