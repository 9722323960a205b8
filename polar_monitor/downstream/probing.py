"""Run every probe on every arm, over the same folds."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._validation import checked_count
from ..regime.regime import Regime
from .arguments import checked_labels, checked_latents, checked_level, checked_probes, checked_targets
from .arms import Arm, arms_of
from .comparison import Comparison, Key
from .probes import PROBES, make, scalings, splitter


def compare(
    latents: Any,
    targets: Any,
    regime: Regime | Sequence[str],
    *,
    task: str | None = None,
    probes: Iterable[str] = PROBES,
    folds: int = 5,
    repeats: int = 4,
    seed: int = 0,
    level: float = 0.95,
) -> Comparison:
    """Score probes of `targets` (n,) on subsets of the dimensions of `latents` (n, D), raw and standardised.

    The subsets are the active dimensions, the informative ones (active and mixed), all, and the passive ones, by the
    labels of `regime`. Two controls go with them: `shuffled`, all dimensions with the rows of the passive ones
    permuted (the gain by passive dimensions counts from there, since more columns alone change a score), and `random`,
    all dimensions against permuted targets (chance). Scores are accuracy for classes and R² for numbers, by repeated
    (stratified) k-fold cross-validation over the same folds for all. Each fit, also that of the scaler, uses the
    training rows only.

    Floats are numbers to predict, other targets are classes; `task` ("classification" or "regression") overrides this.
    `probes` are some of "linear" (logistic regression or ridge with scikit-learn's default penalty), "tuned" (the
    penalty chosen within the training rows) and "boosted" (histogram gradient boosting, which no scale affects).
    The same `seed` gives the same numbers. Raises PolarMonitorError for arguments that cannot be used, ImportError
    without scikit-learn.

    Example:
        >>> from polar_monitor import downstream
        >>> rng = np.random.default_rng(0)
        >>> y = rng.integers(0, 2, 200)
        >>> latents = rng.normal(size=(200, 17))
        >>> latents[:, 0] = 0.02 * (2 * y - 1 + 0.1 * latents[:, 0])
        >>> comparison = downstream.compare(latents, y, ["passive"] + ["active"] * 16, probes="linear")
        >>> for scaling in ("raw", "standardised"):
        ...     print(f"{scaling}: {comparison.score('all', scaling=scaling):.2f}")
        raw: 0.57
        standardised: 1.00
    """
    try:
        import sklearn  # noqa: F401
    except ImportError as missing:
        raise ImportError("probes need scikit-learn: pip install scikit-learn") from missing
    folds, repeats, seed = (
        checked_count("folds", folds, 2),
        checked_count("repeats", repeats),
        checked_count("seed", seed, 0),
    )
    level = checked_level(level)
    chosen = checked_probes(probes)
    x = checked_latents(latents)
    labels = checked_labels(regime, x.shape[1])
    y, classes = checked_targets(targets, len(x), task, folds)
    arms, absent = arms_of(labels)
    scores: dict[Key, list[float]] = defaultdict(list)
    warned: Counter[str] = Counter()
    for repeat in range(repeats):
        trial = _Trial.of(x, y, classes, folds, np.random.default_rng([seed, repeat]))
        for probe in chosen:
            for scaling in scalings(probe):
                done: dict[Arm, list[float]] = {}
                for name, arm in arms.items():
                    if arm not in done:
                        done[arm], messages = trial.scores(probe, scaling, arm)
                        warned += messages
                    scores[probe, scaling, name] += done[arm]
    return Comparison(
        metric="accuracy" if classes else "R²",
        rows=len(x),
        arms=arms,
        absent=absent,
        scores={key: tuple(values) for key, values in scores.items()},
        probes=chosen,
        folds=folds,
        repeats=repeats,
        seed=seed,
        level=level,
        warned=dict(warned),
    )


class _Trial(NamedTuple):
    """Folds and permutations of one repeat, the same for all probes and arms."""

    x: NDArray[np.float64]
    y: NDArray[Any]
    classes: int
    order: NDArray[np.intp]
    """Row from which each row takes its shuffled columns."""
    permuted: NDArray[Any]
    splits: list[tuple[NDArray[np.intp], NDArray[np.intp]]]
    seed: int

    @classmethod
    def of(cls, x: NDArray[np.float64], y: NDArray[Any], classes: int, folds: int, rng: np.random.Generator) -> _Trial:
        order, permuted, seed = rng.permutation(len(y)), rng.permutation(y), int(rng.integers(2**31))
        return cls(x, y, classes, order, permuted, list(splitter(classes, folds, seed).split(x, y)), seed)

    def scores(self, probe: str, scaling: str, arm: Arm) -> tuple[list[float], Counter[str]]:
        """Return one score per fold, and the warnings of the fits with the number of folds that had them."""
        x, shuffled = self.x.copy(), list(arm.shuffled)
        x[:, shuffled] = self.x[self.order][:, shuffled]
        x, y = x[:, list(arm.columns)], self.permuted if arm.random else self.y
        scores, warned = [], Counter[str]()
        for train, test in self.splits:
            model = make(probe, scaling, self.classes, x.shape[1], self.seed)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                scores.append(float(model.fit(x[train], y[train]).score(x[test], y[test])))
            warned.update({str(one.message).split("\n")[0] for one in caught})
        return scores, warned
