"""Probes: scikit-learn models at their usual settings, and a linear one whose penalty is tuned.

The scale of a dimension matters to a linear probe only through its penalty. `linear` keeps scikit-learn's defaults
(L2, C = 1 or alpha = 1), which nearly switch off a dimension of small scale. `tuned` chooses the penalty by
cross-validation within the training rows, and so shows if standardising or the default made a difference. `boosted`
splits on the order of values, gives the same on raw and on standardised columns, and is fitted once.
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
INNER_FOLDS = 3
"""Folds in which the tuned probe chooses."""
MAX_NEWTON_COEFFICIENTS = 1000
"""Coefficients up to which Newton's method is used, which does not depend on the scales of the columns."""


def scalings(probe: str) -> tuple[str, ...]:
    """Return the scalings under which a probe can differ."""
    return SCALINGS[:1] if probe in SCALE_FREE else SCALINGS


def make(probe: str, scaling: str, classes: int, dimensions: int, seed: int) -> Any:
    """Return an unfitted pipeline with `fit` and `score` (accuracy, or R² if `classes` is 0) and its own scaler."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    model: Any
    if probe == "boosted":
        boosting = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
        model = boosting(random_state=seed)
    elif classes:
        # tol bounds the gradient, which a column of small scale makes small: 1e-4 would end before the optimum
        solver = "newton-cholesky" if classes * dimensions <= MAX_NEWTON_COEFFICIENTS else "lbfgs"
        model = LogisticRegression(solver=solver, tol=1e-8, max_iter=1000)
    else:
        model = Ridge()
    scaler = [("scale", StandardScaler())] if scaling == "standardised" else []
    pipeline = Pipeline([*scaler, ("model", model)])
    return _tuned(pipeline, classes, seed) if probe == "tuned" else pipeline


def _tuned(pipeline: Any, classes: int, seed: int) -> Any:
    from sklearn.model_selection import GridSearchCV

    grid = {"model__C": STRENGTHS} if classes else {"model__alpha": 1 / STRENGTHS}
    return GridSearchCV(pipeline, grid, cv=splitter(classes, INNER_FOLDS, seed))


def splitter(classes: int, folds: int, seed: int) -> Any:
    """Return shuffled folds, stratified by class if there are classes."""
    from sklearn.model_selection import KFold, StratifiedKFold

    return (StratifiedKFold if classes else KFold)(folds, shuffle=True, random_state=seed)
