"""What passive dimensions are worth to a task: a small scale, the controls, the intervals, the arguments."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats

import polar_monitor
from polar_monitor import Label, PolarMonitorError, downstream
from polar_monitor.downstream.arms import ARMS, arms_of
from polar_monitor.downstream.probes import make
from polar_monitor.downstream.probing import _Trial
from polar_monitor.downstream.resampling import corrected, holm

SMALL = 0.02
"""Standard deviation of the mean of a passive dimension."""


def with_hidden_label(rows: int, seed: int = 0) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Latents (rows, 17) whose first dimension carries a label at a small scale, their variance, and the label."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, rows)
    mean = rng.normal(size=(rows, 17))
    mean[:, 0] = SMALL * (0.995 * (2 * y - 1) + 0.1 * mean[:, 0])
    return mean, np.where(np.arange(17) == 0, 1.0, 0.02) * np.ones_like(mean), y


@pytest.fixture(scope="module")
def hidden() -> downstream.Comparison:
    """The regime of many rows, probes on the few that have a label."""
    mean, var, y = with_hidden_label(4096)
    regime = polar_monitor.classify(mean, var=var)
    return downstream.compare(mean[:200], y[:200], regime, probes="linear", repeats=2)


def test_the_regime_calls_a_dimension_passive_that_carries_the_label_at_a_small_scale() -> None:
    mean, var, _ = with_hidden_label(4096)
    regime = polar_monitor.classify(mean, var=var)
    assert regime.labels == (Label.PASSIVE, *[Label.ACTIVE] * 16)
    assert regime.snapshot is not None
    assert regime.snapshot.information[0] < 0.05


def test_the_usual_penalty_hides_it_until_it_is_standardised(hidden: downstream.Comparison) -> None:
    assert hidden.score("all", scaling="raw") < 0.65
    assert hidden.score("all") > 0.98
    assert hidden.score("informative") < 0.65
    gain = hidden.gain()
    assert (gain.of, gain.over) == ("all (standardised)", "shuffled (standardised)")
    assert gain.low > 0.3
    assert hidden.gain("all", "all", over_scaling="raw").low > 0.3


def test_it_is_the_penalty_and_not_the_scale_that_hides_it() -> None:
    mean, _, y = with_hidden_label(200)
    labels = ["passive", *["active"] * 16]
    tuned = downstream.compare(mean, y, labels, probes="tuned", folds=2, repeats=1)
    assert tuned.score("all", probe="tuned", scaling="raw") > 0.97
    assert tuned.score("shuffled", probe="tuned", scaling="raw") < 0.65


def test_a_small_dimension_that_is_alone_is_not_hidden() -> None:
    """However much a coefficient is shrunk, the sign of the only column stays, of balanced classes; R² feels it."""
    mean, _, y = with_hidden_label(1200)
    balanced = np.concatenate([np.flatnonzero(y == label)[:500] for label in (0, 1)])
    alone, y = mean[balanced, :1], y[balanced]
    assert downstream.compare(alone, y, ["passive"], probes="linear", repeats=1).score("all", scaling="raw") > 0.98
    signs = downstream.compare(alone, 2.0 * y, ["passive"], probes="linear", repeats=1)
    assert signs.score("all", scaling="raw") < 0.6 < 0.9 < signs.score("all")


def test_controls_are_at_chance(hidden: downstream.Comparison) -> None:
    for scaling in ("raw", "standardised"):
        for arm in ("random", "shuffled"):
            assert abs(hidden.score(arm, scaling=scaling) - 0.5) < 0.13, (arm, scaling)
    assert abs(hidden.gain("shuffled", "random").value) < 0.13
    assert [one.p < 0.01 for one in hidden.gains] == [False, True] * 2  # raw, standardised


def test_scores_are_those_of_ridge_by_hand() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 3)) * [1.0, 0.05, 2.0] + [0.0, 3.0, 1.0]
    y = x @ [1.0, 10.0, 0.0] + rng.normal(size=60)
    found = downstream.compare(x, y, ["active", "passive", "mixed"], probes="linear", folds=4, repeats=2, seed=3)
    for scaling in ("raw", "standardised"):
        for arm, columns in (("active", [0]), ("informative", [0, 2]), ("all", [0, 1, 2]), ("passive", [1])):
            by_hand = [
                score
                for repeat in range(2)
                for score in ridge(x[:, columns], y, trial(x, y, repeat).splits, scaling == "standardised")
            ]
            np.testing.assert_allclose(found.scores["linear", scaling, arm], by_hand, rtol=1e-9)
    first = trial(x, y, 0)
    permuted = np.column_stack([x[:, 0], x[first.order, 1], x[:, 2]])
    np.testing.assert_allclose(found.scores["linear", "raw", "shuffled"][:4], ridge(permuted, y, first.splits, False))
    np.testing.assert_allclose(
        found.scores["linear", "raw", "random"][:4], ridge(x, first.permuted, first.splits, False)
    )
    assert sorted(first.permuted) == sorted(y)
    assert sorted(first.order) == list(range(60))


def trial(x: NDArray[Any], y: NDArray[Any], repeat: int) -> _Trial:
    return _Trial.of(x, y, 0, 4, np.random.default_rng([3, repeat]))


def ridge(x: NDArray[Any], y: NDArray[Any], splits: list[Any], standardise: bool) -> list[float]:
    """R² of a ridge with alpha = 1 and an intercept, from the normal equations; its scaler sees training rows only."""
    scores = []
    for train, test in splits:
        centre, scale = x[train].mean(0), x[train].std(0) if standardise else 1.0
        a, b = (x[train] - centre) / scale, (x[test] - centre) / scale
        w = np.linalg.solve(a.T @ a + np.eye(a.shape[1]), a.T @ (y[train] - y[train].mean()))
        residual = y[test] - y[train].mean() - b @ w
        scores.append(1 - float((residual**2).sum() / ((y[test] - y[test].mean()) ** 2).sum()))
    return scores


def noise_gains(seed: int, rows: int = 60, folds: int = 5, repeats: int = 4) -> NDArray[np.float64]:
    """R² with three columns of noise less that with the same shuffled, of a target that a fourth tells: (J,)."""
    rng = np.random.default_rng(seed)
    x, noise = rng.normal(size=(rows, 1)), rng.normal(size=(rows, 3))
    y = x[:, 0] + rng.normal(size=rows)
    gains: list[float] = []
    for _ in range(repeats):
        parts = np.array_split(rng.permutation(rows), folds)
        splits = [(np.concatenate([part for part in parts if part is not test]), test) for test in parts]
        shuffled = noise[rng.permutation(rows)]
        real, control = (ridge(np.hstack([x, columns]), y, splits, True) for columns in (noise, shuffled))
        gains += list(np.subtract(real, control))
    return np.array(gains)


def test_intervals_of_pure_noise_hold_zero_at_least_as_often_as_they_say() -> None:
    gains = [noise_gains(seed) for seed in range(300)]

    def coverage(ratio: float, level: float) -> float:
        bounds = [corrected(d, ratio, level)[1:3] for d in gains]
        return float(np.mean([low <= 0 <= high for low, high in bounds]))

    assert coverage(0.25, 0.95) >= 0.95
    assert 0.5 <= coverage(0.25, 0.5) <= 0.9, "wide, but not without bound"
    assert coverage(0.0, 0.95) < 0.93, "the usual t interval is too narrow: the correction is needed"


@pytest.mark.slow
def test_false_findings_of_the_whole_comparison_are_rare() -> None:
    rng = np.random.default_rng(0)
    labels = ["active", "passive", "passive"]
    found = [
        downstream.compare(
            rng.normal(size=(60, 3)), rng.normal(size=60), labels, probes="linear", repeats=1, seed=seed
        ).gains
        for seed in range(20)
    ]
    assert sum(min(one.p for one in gains) < 0.05 for gains in found) <= 3  # 4 and more of 20 at 5 %: 2 %


def test_the_interval_is_that_of_the_t_test_but_for_the_correction() -> None:
    d = np.random.default_rng(0).normal(0.3, 1.0, 20)
    known = stats.ttest_1samp(d, 0.0)
    value, low, high, p = corrected(d, 0.0, 0.9)
    assert p == pytest.approx(known.pvalue)
    assert (low, high) == pytest.approx(tuple(known.confidence_interval(0.9)))
    wide = corrected(d, 0.25, 0.9)
    assert (wide[2] - wide[0]) / (high - value) == pytest.approx(math.sqrt((1 / 20 + 0.25) * 20))


def test_scores_that_never_differ_have_an_interval_of_no_width() -> None:
    assert corrected([0.0, 0.0, 0.0], 0.25) == (0.0, 0.0, 0.0, 1.0)
    assert corrected([0.5, 0.5], 0.25) == (0.5, 0.5, 0.5, 0.0)


def test_holm() -> None:
    assert holm([0.04, 0.01, 0.03, 0.9]) == pytest.approx((0.09, 0.04, 0.09, 0.9))
    assert holm([0.5, 0.6]) == (1.0, 1.0)
    assert holm([]) == ()


@pytest.mark.parametrize("classes", [True, False])
def test_order_and_units_of_dimensions_do_not_matter(classes: bool) -> None:
    rng = np.random.default_rng(2)
    x, labels = rng.normal(size=(90, 4)), ["active", "passive", "mixed", "undecided"]
    y = x[:, 1] + rng.normal(size=90)
    targets = (y > 0).astype(int) if classes else y
    order, units = [2, 0, 3, 1], np.array([100.0, 0.01, 1.0, 5.0])
    found = downstream.compare(x, targets, labels, probes="linear", folds=3, repeats=1)
    permuted = downstream.compare(x[:, order], targets, [labels[j] for j in order], probes="linear", folds=3, repeats=1)
    scaled = downstream.compare(x * units, targets, labels, probes="linear", folds=3, repeats=1)
    for key, scores in found.scores.items():
        assert permuted.scores[key] == pytest.approx(scores), key
        if key[1] == "standardised":
            assert scaled.scores[key] == pytest.approx(scores), key
    assert scaled.scores["linear", "raw", "all"] != pytest.approx(found.scores["linear", "raw", "all"])


@pytest.mark.parametrize("classes", [0, 2])
def test_boosted_trees_do_not_see_scale(classes: int) -> None:
    x, _, label = with_hidden_label(300)
    y = label if classes else x[:, 0] / SMALL + x[:, 1]
    raw, standardised = (
        make("boosted", scaling, classes, 17, seed=0).fit(x[:200], y[:200]).score(x[200:], y[200:])
        for scaling in ("raw", "standardised")
    )
    assert raw == standardised > 0.8


def test_the_same_seed_gives_the_same_numbers() -> None:
    x, _, y = with_hidden_label(120)
    labels = ["passive", *["active"] * 16]
    one, same, other = (
        downstream.compare(x, y, labels, probes=("linear", "boosted"), folds=2, repeats=1, seed=seed)
        for seed in (0, 0, 1)
    )
    assert one == same
    assert one.scores != other.scores


def test_nothing_of_the_caller_changes() -> None:
    x, y = torch.randn(40, 2, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 2
    before = x.clone(), y.clone(), np.random.get_state()[1].sum()  # noqa: NPY002
    found = downstream.compare(x, y, ["active", "passive"], probes="linear", repeats=1)
    assert found.metric == "accuracy"
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])
    assert np.random.get_state()[1].sum() == before[2]  # noqa: NPY002


def test_arms() -> None:
    active, passive, mixed, undecided = Label.ACTIVE, Label.PASSIVE, Label.MIXED, Label.UNDECIDED
    arms, absent = arms_of([passive, active, undecided, mixed, passive])
    assert tuple(arms) == ARMS
    assert not absent
    assert {name: arm.columns for name, arm in arms.items()} == {
        "active": (1,),
        "informative": (1, 3),
        "all": (0, 1, 2, 3, 4),
        "passive": (0, 4),
        "shuffled": (0, 1, 2, 3, 4),
        "random": (0, 1, 2, 3, 4),
    }
    assert arms["shuffled"].shuffled == (0, 4)
    assert [name for name, arm in arms.items() if arm.random] == ["random"]
    assert arms_of([active])[1] == dict.fromkeys(("passive", "shuffled"), "no dimension is passive")
    assert set(arms_of([passive])[1]) == {"active", "informative"}


def test_an_absent_arm_says_why() -> None:
    rng = np.random.default_rng(0)
    found = downstream.compare(rng.normal(size=(40, 2)), rng.normal(size=40), ["active"] * 2, probes="linear")
    assert found.gains == ()
    assert "no dimension is passive" in str(found)
    with pytest.raises(PolarMonitorError, match="'shuffled' is absent: no dimension is passive"):
        found.gain()
    with pytest.raises(PolarMonitorError, match="a probe of linear and a scaling"):
        found.score("all", probe="boosted")
    with pytest.raises(PolarMonitorError, match="expected an arm of active"):
        found.score("nothing")


def test_a_result_can_be_read_and_stored(hidden: downstream.Comparison) -> None:
    text = str(hidden)
    assert all(arm in text for arm in ARMS)
    assert f"{hidden.score('all'):.4f}" in text
    assert str(hidden.gains[0]) in text
    plain = json.loads(json.dumps(hidden.to_dict()))
    assert plain["arms"]["passive"] == [0]
    values = {(s["probe"], s["scaling"], s["arm"]): tuple(s["values"]) for s in plain["scores"]}
    assert values == dict(hidden.scores)
    assert plain["gains"][0]["value"] == hidden.gains[0].value


def test_what_scikit_learn_warns_of_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stubborn:
        def fit(self, x: NDArray[Any], y: NDArray[Any]) -> Stubborn:
            warnings.warn("did not converge\nsee the guide", UserWarning, stacklevel=1)
            return self

        def score(self, x: NDArray[Any], y: NDArray[Any]) -> float:
            return 0.5

    monkeypatch.setattr("polar_monitor.downstream.probing.make", lambda *_: Stubborn())
    found = downstream.compare(X, Y, LABELS, probes="linear", folds=2, repeats=3)
    assert found.warned == {"did not converge": 5 * 2 * 2 * 3}  # distinct arms, scalings, folds, repeats
    assert "warning in 60 fits: did not converge" in str(found)


X, Y = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2
LABELS = ["active", "passive"]
GREAT = int((X > 1).any(axis=1).sum())


@pytest.mark.parametrize(
    ("latents", "targets", "regime", "options", "said"),
    [
        (X[:, 0], Y, LABELS, {}, r"latents: expected shape \(n, D\)"),
        (X.astype(str), Y, LABELS, {}, "latents: expected an array of real numbers"),
        (
            np.where(np.arange(2) == 1, np.nan, X),
            Y,
            LABELS,
            {},
            r"got none in dimensions \[1\]: leave these dimensions out: pass",
        ),
        (
            np.where(X > 1, np.inf, X),
            Y,
            LABELS,
            {},
            rf"NaN or infinity in dimensions \[.*\]: drop the {GREAT} rows that have them",
        ),
        (
            np.where(X.max(1)[:, None] == X, np.nan, X),
            Y,
            LABELS,
            {},
            r"and no row without one: leave some of these dimensions out",
        ),
        (X, Y[:-1], LABELS, {}, r"targets: expected shape \(20,\), one for each row of latents, got \(19,\)"),
        (X, Y[:, None], LABELS, {}, r"got \(20, 1\)"),
        (X, np.zeros(20, int), LABELS, {}, "two classes or more, got one"),
        (X, (np.arange(20) == 3).astype(int), LABELS, {}, "got 1 of 1: merge rare classes"),
        (X, ["a"] * 19 + ["b"], LABELS, {}, "got 1 of 'b': merge rare classes"),
        (X, [[1], [1, 2]], LABELS, {}, r"targets: expected shape \(20,\), got list of lists"),
        (X, np.zeros(20), LABELS, {}, "values that differ"),
        (X, np.where(Y, 1.0, np.nan), LABELS, {}, "got NaN"),
        (X, ["a", "b"] * 10, LABELS, {"task": "regression"}, "numbers for a regression"),
        (X, np.array([1, "b"] * 10, object), LABELS, {}, "mixture of types"),
        (X[:8], X[:8, 0], LABELS, {}, "expected 10 rows or more for 5 folds"),
        (X, Y, ["active"], {}, "labels for the 2 dimensions of the latents, got 1"),
        (X, Y, ["active", "dead"], {}, "expected a Regime or labels"),
        (X, Y, None, {}, "expected a Regime or labels"),
        (X, Y, LABELS, {"probes": "forest"}, "one or more of linear, tuned, boosted"),
        (X, Y, LABELS, {"probes": ()}, "one or more of linear, tuned, boosted"),
        (X, Y, LABELS, {"probes": 5}, r"one or more of linear, tuned, boosted, got \(5,\)"),
        (X, Y, LABELS, {"probes": [["linear"]]}, "one or more of linear, tuned, boosted"),
        (X, Y, LABELS, {"folds": 1}, "folds: expected a whole number of 2 or more"),
        (X, Y, LABELS, {"repeats": 0}, "repeats: expected"),
        (X, Y, LABELS, {"seed": -1}, "seed: expected"),
        *(
            (X, Y, LABELS, {"level": level}, "level: expected a number between 0 and 1")
            for level in (95, "a", None, True)
        ),
        (X, Y, LABELS, {"task": "ranking"}, "task: expected classification or regression"),
    ],
)
def test_bad_input_is_one_clear_error(latents: Any, targets: Any, regime: Any, options: Any, said: str) -> None:
    with pytest.raises(PolarMonitorError, match=said):
        downstream.compare(latents, targets, regime, **options)


def test_kinds_of_targets() -> None:
    words = downstream.compare(X, ["no", "yes"] * 10, LABELS, probes="linear", repeats=1)
    numbers = downstream.compare(X, Y, LABELS, probes="linear", repeats=1, task="regression")
    classes = downstream.compare(X, Y.astype(float), LABELS, probes="linear", repeats=1, task="classification")
    assert (words.metric, numbers.metric, classes.metric) == ("accuracy", "R²", "accuracy")
    assert words.scores == classes.scores


def test_without_scikit_learn_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        downstream.compare(X, Y, LABELS)


def test_it_is_there_when_asked_for_and_loads_scikit_learn_only_when_used() -> None:
    code = "import sys, polar_monitor as p; print(p.downstream.compare.__name__, 'sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["compare", "False"]
