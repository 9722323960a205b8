"""The probes: scikit-learn models at their usual settings, and a linear one whose penalty is tuned.

The scale of a dimension matters to a linear probe only through its penalty. `linear` keeps scikit-learn's defaults
(L2, C = 1 or alpha = 1), under which a dimension of small scale is all but switched off; `tuned` chooses the penalty by
cross-validation inside the training rows, which is what shows whether standardising or the default made a difference.
`boosted` splits on the order of values: it is the same on raw and on standardised columns, so it is fitted once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

PROBES = ("linear", "tuned", "boosted")
SCALINGS = ("raw", "standardised")
SCALE_FREE = ("boosted",)
STRENGTHS = 10.0 ** np.arange(-2, 7, 2)
"""C of the tuned logistic regression, 1/alpha of the tuned ridge. A dimension with a standard deviation of 0.02 needs
2500 times the C of one with 1."""
INNER = 3
"""Folds in which the tuned probe chooses."""
NEWTON = 1000
"""Most coefficients for which Newton's method is used: it does not mind columns of different scales."""


def scalings(probe: str) -> tuple[str, ...]:
    """The scalings that a probe tells apart."""
    return SCALINGS[:1] if probe in SCALE_FREE else SCALINGS


def make(probe: str, scaling: str, classes: int, dimensions: int, seed: int) -> Any:
    """An unfitted pipeline with `fit` and `score` (accuracy, or R² where `classes` is 0); it fits its own scaler."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    model: Any
    if probe == "boosted":
        boosting = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
        model = boosting(random_state=seed)
    elif classes:
        # tol: of the gradient, which a column of small scale makes small; the solver is to end at the optimum
        solver = "newton-cholesky" if classes * dimensions <= NEWTON else "lbfgs"
        model = LogisticRegression(solver=solver, tol=1e-8, max_iter=1000)
    else:
        model = Ridge()
    scaler = [("scale", StandardScaler())] if scaling == "standardised" else []
    pipeline = Pipeline([*scaler, ("model", model)])
    return _tuned(pipeline, classes, seed) if probe == "tuned" else pipeline


def _tuned(pipeline: Any, classes: int, seed: int) -> Any:
    from sklearn.model_selection import GridSearchCV

    grid = {"model__C": STRENGTHS} if classes else {"model__alpha": 1 / STRENGTHS}
    return GridSearchCV(pipeline, grid, cv=splitter(classes, INNER, seed))


def splitter(classes: int, folds: int, seed: int) -> Any:
    """Shuffled folds, stratified by class where there are classes."""
    from sklearn.model_selection import KFold, StratifiedKFold

    return (StratifiedKFold if classes else KFold)(folds, shuffle=True, random_state=seed)
