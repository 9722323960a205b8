"""Labels that follow the evidence: a stated error on a cut and no delay beyond it, however often one looks."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from records import ACTIVE, MIXED, PASSIVE, UNDECIDED, make_snapshot

from polar_monitor import PolarMonitorError
from polar_monitor.regime import information as ours
from polar_monitor.regime.evidence import MIN_EVIDENCE, Z_CHANGE
from polar_monitor.regime.judge import judge
from polar_monitor.regime.label import Label
from polar_monitor.regime.regime import Regime, Verdict
from polar_monitor.statistics.snapshot import Snapshot
from polar_monitor.statistics.stream import LatentStream
from polar_monitor.statistics.thresholds import INFORMATIVE, MIXED_SHARE
from polar_monitor.statistics.thresholds import PASSIVE as PASSIVE_CUT

N = 4096
SE = 0.004
CUTS = {
    "information": PASSIVE_CUT,
    "certificate": PASSIVE_CUT,
    "informative": INFORMATIVE,
    "variance_gap": ours.MIXED_GAP,
    "share_active": MIXED_SHARE,
    "share_passive": MIXED_SHARE,
    "valley": ours.MIXED_VALLEY,
    "upper_kind": ours.MIXED_UPPER,
}
KINDS = ("variance_gap", "share_active", "share_passive", "valley", "upper_kind")


def base(dimensions: int, **changes: Any) -> Snapshot:
    """A snapshot of which each error is SE, with no row before."""
    s = make_snapshot(0, [PASSIVE] * dimensions, bins=4)
    errors = {f"{name}_se": np.full(dimensions, SE) for name in ("information", "information_upper", *KINDS)}
    return replace(s, rows=N, n=N, independent=N, finite=np.full(dimensions, float(N)), **(errors | changes))


def on(cut: str, x: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Statistics that lie x standard errors beyond one cut, and far from all others."""
    far, beyond = np.full(x.shape, 1.0), CUTS[cut] + SE * x
    match cut:
        case "information":
            return {"information": beyond, "information_upper": far, "valley": far}
        case "certificate":
            return {"information": beyond, "information_upper": beyond, "valley": far}
        case "informative":
            return {"information": beyond, "information_upper": far, "valley": far}
    half = np.full(x.shape, 0.5)
    mixed = {"information": far, "information_upper": far, "variance_gap": half, "share_active": half}
    if cut == "upper_kind":
        return mixed | {"share_passive": np.zeros(x.shape), "valley": far, cut: beyond}
    return mixed | {"share_passive": half, "valley": np.full(x.shape, 0.1)} | {cut: beyond}


def labels_of(cut: str, noise: NDArray[np.float64], new: int) -> list[Regime]:
    """Judge one snapshot for each row of noise (T, D); `new` rows come between two of them."""
    first, regime, found = base(noise.shape[1]), None, []
    for t, x in enumerate(noise):
        regime = judge(replace(first, step=t, rows=N + t * new, **on(cut, x)), regime)
        found.append(regime)
    return found


def moving_average(rng: np.random.Generator, evaluations: int, dimensions: int, overlap: int) -> NDArray[np.float64]:
    """Standard normal numbers (T, D) of windows that are `overlap` evaluations long."""
    steps = np.cumsum(rng.normal(size=(evaluations + overlap, dimensions)), axis=0)
    return (steps[overlap:] - steps[:-overlap]) / math.sqrt(overlap)


@pytest.mark.parametrize("overlap", [1, 10, 100])
@pytest.mark.parametrize("cut", CUTS)
def test_a_stationary_dimension_on_a_cut_changes_once_in_a_thousand_evaluations_at_most(cut: str, overlap: int) -> None:
    """Windows that are independent, and that share 90 % and 99 % of their rows."""
    rng = np.random.default_rng(list(CUTS).index(cut) * 1000 + overlap)
    found = labels_of(cut, moving_average(rng, 1000, 400, overlap), N // overlap)
    answers = np.array([regime.sides for regime in found])
    question = {"information": 0, "certificate": 0, "informative": 1}.get(cut, 2)
    answers = (answers >> 2 * question) & 3
    changed = np.array([[label.value for label in regime.labels] for regime in found])
    every = (changed[1:] != changed[:-1]).sum(axis=0).mean()
    decided = ((answers[1:] != answers[:-1]) & (answers[:-1] != 0)).sum(axis=0).mean()
    print(f"{cut}, windows of {overlap} evaluations: {decided:.2f} changes of a decided label, {every:.2f} in all")
    assert decided <= 1.0
    assert every <= 1.5


def test_rows_of_a_dimension_on_the_cut_give_a_label_that_stays() -> None:
    """From end to end: 24 Gaussian dimensions of exactly 0.05 nats, windows that share 90 % of their rows."""
    rng, noise, shape = np.random.default_rng(3), math.exp(-2 * PASSIVE_CUT), (N // 10, 24)
    codes = labels_of_rows(300, lambda: (math.sqrt(1 - noise) * rng.normal(size=shape), np.full(shape, noise)))
    assert (codes[1:] != codes[:-1]).sum(axis=0).mean() <= 1.0
    assert set(codes.ravel().tolist()) <= {0, 1}


def test_rows_whose_valley_comes_and_goes_give_a_label_that_stays() -> None:
    """The rarer kind is so rare that half of the windows show no valley; windows are independent."""
    rng, shape = np.random.default_rng(3), (N, 12)

    def rows() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        rare, broad = rng.random(shape) < 0.0575, np.exp(0.1 * rng.normal(size=shape))
        return 0.99 * np.where(rare, rng.normal(size=shape), 0.0), broad * np.where(rare, 0.02, 1.0)

    codes = labels_of_rows(200, rows)
    assert (codes[1:] != codes[:-1]).sum(axis=0).mean() <= 1.0
    assert (codes == 2).any(axis=0).all()


def test_kinds_below_the_fixed_places_give_a_label_that_stays() -> None:
    """No input has σ² of 0.7 (V + E) or more; one window shows the nearly empty valley and the next does not."""
    rng, shape = np.random.default_rng(4), (N, 12)

    def rows() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        rare = rng.random(shape) < 0.0575
        return np.where(rare, 0.5, 0.8) * rng.normal(size=shape), np.where(rare, 0.03, 0.9) * rng.uniform(0.9, 1, shape)

    codes = labels_of_rows(200, rows)
    assert (codes[1:] != codes[:-1]).sum(axis=0).mean() <= 1.0
    assert (codes == 2).any(axis=0).all()


def test_a_dimension_that_all_inputs_use_again_is_not_held_mixed() -> None:
    kinds = {"share_active": np.full(1, 0.5), "share_passive": np.zeros(1), "variance_gap": np.full(1, 0.4)}
    regime = judge(one(1.0, upper_kind=np.full(1, 0.6), **kinds))
    assert regime.labels == (MIXED,)
    again = judge(one(1.0, rows=2 * N, **kinds), regime)
    assert again.labels == (MIXED,)
    assert again.latest == (ACTIVE,)
    assert judge(one(1.0, rows=2 * N, **(kinds | {"share_active": np.ones(1)})), again).labels == (ACTIVE,)


def labels_of_rows(
    evaluations: int, rows: Callable[[], tuple[NDArray[np.float64], NDArray[np.float64]]]
) -> NDArray[np.uint8]:
    """Return the codes (T, D) of a stream that gets `rows` before each evaluation, and a window of them at first."""
    mean, variance = rows()
    stream, regime, codes = LatentStream(mean.shape[1], window=N), None, []
    for t in range(evaluations):
        for _ in range(1 if t else N // len(mean)):
            stream.update(mean.astype(np.float32), variance.astype(np.float32))
            mean, variance = rows()
        regime = judge(stream.snapshot(t, full=t == 0), regime)
        codes.append(np.frombuffer(regime.codes.labels, np.uint8))
    return np.array(codes)


@pytest.mark.parametrize("overlap", [1, 20])
@pytest.mark.parametrize("cut", [cut for cut in CUTS if cut != "valley"])
def test_a_dimension_one_error_beyond_a_cut_is_labelled_after_some_windows(cut: str, overlap: int) -> None:
    """From four errors on one side of the cut to one on the other: some 15 windows, however often one looks."""
    rng, windows, dimensions = np.random.default_rng(1), 50, 60
    for side in (1.0, -1.0):
        x = side * (1.0 + 0.3 * moving_average(rng, windows * overlap, dimensions, overlap))
        before = np.full((1, dimensions), -4.0 * side)
        found = labels_of(cut, np.concatenate([before, x]), N // overlap)
        labels = np.array([[label.value for label in regime.labels] for regime in found])
        changed = labels != labels[0]
        assert changed[-1].all()
        assert 10 <= np.median(changed.argmax(axis=0)) / overlap <= 20


@pytest.mark.parametrize("cut", [cut for cut in CUTS if cut not in ("valley", "certificate")])
@pytest.mark.parametrize("new", [0, 1, N])
def test_a_label_changes_at_once_if_the_interval_of_99_9_per_cent_is_on_the_other_side(cut: str, new: int) -> None:
    for side in (1.0, -1.0):
        x = np.array([[-8.0, -8.0, -8.0], [3.25, 3.35, 20.0]]) * side
        before, after = labels_of(cut, x, new)
        assert [a is b for a, b in zip(after.labels, before.labels, strict=True)] == [True, False, False]
        assert after.latest[0] is not before.labels[0]
        assert after.latest[1:] == after.labels[1:]


def test_the_same_rows_looked_at_again_are_no_evidence() -> None:
    found = labels_of("informative", np.concatenate([[[-4.0]], np.full((500, 1), 2.5)]), 0)
    assert {regime.labels for regime in found} == {(UNDECIDED,)}
    assert found[-1].evidence == (0.0, 0.0, 0.0)


def one(nats: float, **changes: Any) -> Snapshot:
    """One dimension, by its information."""
    return replace(base(1), information=np.full(1, nats), information_upper=np.full(1, nats), **changes)


def test_a_first_label_is_that_of_the_evaluation_alone_however_late() -> None:
    """A side that is not known, for example since the first rows were too few, is decided by 95 % bounds."""
    few = judge(one(2.0, independent=100))
    assert (few.labels, few.verdict) == ((UNDECIDED,), Verdict.NOT_ESTIMABLE)
    assert judge(one(INFORMATIVE + 2.0 * SE, rows=2 * N), few).labels == (ACTIVE,)
    between = judge(one(INFORMATIVE + 1.9 * SE))
    assert between.labels == (UNDECIDED,)
    assert judge(one(INFORMATIVE + 2.0 * SE, rows=N + 1), between).labels == (ACTIVE,)


@pytest.mark.parametrize("missing", [{"information": [math.nan]}, {"finite": [511.0]}, {"independent": 511}])
def test_no_label_stands_beside_a_missing_number(missing: dict[str, Any]) -> None:
    arrays = {name: np.array(value) if isinstance(value, list) else value for name, value in missing.items()}
    active = judge(one(2.0))
    gone = judge(replace(one(2.0), rows=2 * N, **arrays), active)
    assert (gone.labels, gone.verdict) == ((UNDECIDED,), Verdict.NOT_ESTIMABLE)
    assert "512 are needed" in gone.explain(0) or "could not be estimated" in gone.explain(0)
    assert judge(one(INFORMATIVE + 2.5 * SE, rows=3 * N), gone).labels == (ACTIVE,)
    assert judge(one(INFORMATIVE - 2.5 * SE, rows=3 * N), gone).labels == (UNDECIDED,)


@pytest.mark.parametrize("error", [math.nan, math.inf])
def test_an_error_that_is_not_known_decides_nothing(error: float) -> None:
    errors = {"information_se": np.full(1, error), "information_upper_se": np.full(1, error)}
    unknown = judge(one(2.0, rows=2 * N, **errors), judge(one(0.01)))
    assert unknown.labels == unknown.latest == (UNDECIDED,)
    assert "whose error is not known" in unknown.explain(0)


def test_numbers_without_an_error_change_a_label_at_once() -> None:
    exact = {"information_se": np.zeros(1), "information_upper_se": np.zeros(1)}
    regime = judge(one(PASSIVE_CUT, **exact))
    assert regime.labels == (PASSIVE,)
    for nats, label in ((0.1, UNDECIDED), (INFORMATIVE, ACTIVE), (PASSIVE_CUT, PASSIVE)):
        regime = judge(one(nats, **exact), regime)
        assert regime.labels == (label,)


def test_a_published_criterion_follows_each_evaluation() -> None:
    regime = None
    for variance, label in ((1.0, ACTIVE), (0.001, PASSIVE), (1.0, ACTIVE)):
        regime = judge(one(1.0, variance=np.full(1, variance)), regime, "active_units")
        assert regime.labels == regime.latest == (label,)
    assert judge(one(PASSIVE_CUT - 2.0 * SE), regime).labels == (PASSIVE,)


def test_a_held_label_says_so_with_numbers() -> None:
    regime = judge(one(0.02))
    for t in range(3):
        regime = judge(one(PASSIVE_CUT + 2.5 * SE, rows=(t + 2) * N), regime)
    said = "this evaluation alone says undecided; evidence for a change 6.0 of 7.6"
    assert regime.explain(0).startswith(f"dimension 0 is held passive; {said}: information 0.060 nats, 95 % interval")
    assert "neither surely below 0.05" in regime.explain(0)
    assert regime.reasons == (
        "no dimension is labelled active or mixed; none has come into use so far",
        f"held near a cut until the evidence for a change is there: dimension 0 passive at 0.060 ± 0.004 nats ({said})",
    )
    assert judge(one(PASSIVE_CUT + 2.5 * SE, rows=5 * N), regime).labels == (UNDECIDED,)


def test_a_collapse_from_the_start_says_that_nothing_came_into_use() -> None:
    first = judge(one(0.01))
    assert first.reasons == ("no dimension carries information",)
    second = judge(one(0.01, rows=2 * N), Regime.from_dict(json.loads(json.dumps(first.to_dict()))))
    assert second.reasons == ("no dimension carries information; none has come into use so far",)
    used = judge(one(2.0, rows=3 * N), second)
    assert judge(one(0.01, rows=4 * N), used).reasons == ("no dimension carries information",)


def test_a_regime_goes_on_from_plain_data() -> None:
    noise = 2.0 * moving_average(np.random.default_rng(0), 60, 8, 6)
    regime, again, totals = None, None, 0
    for t, x in enumerate(noise):
        s = replace(base(8), step=t, rows=N + t * N // 3, **on("informative", x))
        before = regime
        regime = judge(s, before)
        again = judge(s, again and Regime.from_dict(json.loads(json.dumps(again.to_dict())), again.snapshot))
        assert again == regime
        totals += any(regime.evidence)
    assert totals > 20


def test_a_regime_of_a_log_without_answers_is_gone_on_from() -> None:
    old = {"step": 1, "labels": ["active"], "latest": ["passive"], "agreeing": [2], "verdict": "all_active",
           "reasons": ["…"], "criterion": "information"}  # fmt: skip
    regime = Regime.from_dict(old)
    assert (regime.sides, regime.evidence, regime.was_informative) == ((), (), True)
    assert regime.explain(0).startswith("dimension 0 is held active; this evaluation alone says passive")
    assert judge(one(0.01), regime).labels == (PASSIVE,)


@pytest.mark.parametrize("change", [{"sides": [0]}, {"sides": [43] * 2}, {"sides": [-1] * 2}, {"evidence": [0.0] * 5},
                                    {"evidence": [math.nan] * 6}, {"evidence": [-1.0] * 6}])  # fmt: skip
def test_answers_that_no_run_can_have_are_refused(change: dict[str, Any]) -> None:
    data = judge(base(2)).to_dict() | change
    with pytest.raises(ValueError, match="expected answers"):
        Regime.from_dict(data)


@pytest.mark.parametrize("seed", range(40))
def test_no_label_reason_or_explanation_contradicts_its_own_numbers(seed: int) -> None:
    """Random walks of 6 dimensions, with jumps, gaps and other errors: each evaluation is true by itself."""
    rng, dimensions, regime = np.random.default_rng(seed), 6, None
    nats = rng.choice([0.0, 0.05, 0.1, 0.15, 2.0], dimensions)
    for t in range(60):
        nats = np.abs(nats + rng.choice([0.002, 0.02, 0.2]) * rng.normal(size=dimensions))
        nats = np.where(rng.random(dimensions) < 0.05, rng.choice([0.0, 0.05, 0.15, 3.0], dimensions), nats)
        se = rng.choice([1e-4, 0.004, 0.02, 0.1], dimensions)
        seen = np.where(rng.random(dimensions) < 0.02, np.nan, nats)
        arrays = {
            "information": seen,
            "information_se": se,
            "information_upper": nats + rng.choice([0.0, 0.01, 1.0]),
            "information_upper_se": se * rng.choice([0.5, 1.0]),
            "variance_gap": rng.choice([0.0, 0.02, 0.4], dimensions),
            "share_active": rng.choice([0.0, 0.05, 0.5], dimensions),
            "share_passive": rng.choice([0.0, 0.06, 0.5], dimensions),
            "valley": rng.choice([0.1, 0.85, 1.0], dimensions),
            "upper_kind": rng.choice([0.3, 0.5, 0.7, np.nan], dimensions),
        }
        independent = N if rng.random() > 0.03 else 400
        s = replace(base(dimensions), step=t, rows=N + t * rng.integers(1, N), independent=independent, **arrays)
        if seed % 2:
            s = replace(s, step=50 * t + 50, rows_from=50 * t + int(rng.integers(0, 30)), rows_to=50 * t + 50)
        regime = judge(s, regime)
        check_truth(regime)


def check_truth(regime: Regime) -> None:
    """Assert that all that a regime says is true of its snapshot."""
    s = regime.snapshot
    assert s is not None
    low, high = s.information - Z_CHANGE * s.information_se, s.information + Z_CHANGE * s.information_se
    for j, label in enumerate(regime.labels):
        if label is not UNDECIDED:
            assert np.isfinite(s.information[j])
            assert s.independent >= 512
        moves = moving(regime, j)
        assert not (label is PASSIVE and low[j] > PASSIVE_CUT)
        assert not (label is ACTIVE and high[j] < INFORMATIVE)
        enough = s.independent >= 512 and not moves
        assert not (label in (ACTIVE, MIXED, UNDECIDED) and high[j] < PASSIVE_CUT and enough)
        assert not (label is UNDECIDED and low[j] > INFORMATIVE and enough)
        check_sentence(regime.explain(j).splitlines()[0])
        held = label is not regime.latest[j] and not moves
        assert (f"is held {label}; this evaluation alone says {regime.latest[j]}" in regime.explain(j)) == held
        way = "rises" if regime.latest[j] is PASSIVE else "falls"
        said = f"is undecided; this evaluation alone says {regime.latest[j]}; it {way} and, at its rate"
        assert (said in regime.explain(j)) == moves
    assert sum(regime.count(str(label)) for label in Label) == s.dimensions
    apart = [j for j, (a, b) in enumerate(zip(regime.labels, regime.latest, strict=True)) if a is not b]
    held = bool(apart)
    for words, which in (
        ("held near a cut", [j for j in apart if not moving(regime, j)]),
        ("undecided while they move", [j for j in apart if moving(regime, j)]),
    ):
        assert any(r.startswith(words) for r in regime.reasons) == bool(which and s.independent >= 512)
    informative, passive = regime.count("active") + regime.count("mixed"), regime.count("passive")
    assert regime.was_informative >= (informative > 0)
    match regime.verdict:
        case Verdict.COLLAPSED:
            assert not informative
            surely = s.information - 1.96 * s.information_se > PASSIVE_CUT
            assert not (surely.any() and "carries information" in regime.reasons[0])
        case Verdict.ALL_ACTIVE:
            assert not passive and informative
        case Verdict.POLARISED:
            assert regime.reasons[0].startswith(f"{informative} informative and {passive} passive dimensions")
        case Verdict.GRADED if regime.reasons[0].endswith("lie between the two groups"):
            assert not held


def moving(regime: Regime, j: int) -> bool:
    """Return True if a dimension is marked as one that moves through a cut."""
    return bool(regime.sides) and bool(regime.sides[j] & 64)


def check_sentence(text: str) -> None:
    """Assert that the interval of a sentence agrees with the inequality beside it."""
    found = re.search(r"interval (\S+) to (\S+?)[,;]", text)
    if found is None:
        return
    low, high = map(float, found.groups())
    if "at or below 0.05" in text:
        assert high <= PASSIVE_CUT
    elif "neither surely below" in text:
        assert high > PASSIVE_CUT
        assert low < INFORMATIVE
    elif ", at or above 0.15" in text:
        assert low >= INFORMATIVE


def test_labels_are_counted_by_their_names() -> None:
    regime = judge(replace(base(3), information=np.array([2.0, 2.0, 0.01]), valley=np.ones(3),
                           information_upper=np.array([2.0, 2.0, 0.01])))  # fmt: skip
    assert regime.count("active") == regime.count(Label.ACTIVE) == 2
    for wrong in ("alive", "Active", 3, None, ["active"]):
        with pytest.raises(PolarMonitorError, match="label: expected one of active, passive, mixed, undecided; got"):
            regime.count(wrong)  # type: ignore[arg-type]


def test_the_stated_error_is_one_in_a_thousand() -> None:
    beyond = 0.5 * math.erfc(Z_CHANGE / math.sqrt(2.0))
    assert math.exp(-MIN_EVIDENCE) + beyond <= 1.005e-3
