"""From records of trained models to one row a dimension: the truth, the statistics, and the label by every rule.

A model with a conditional prior gives two rows a dimension: as it is ("raw"), and standardised by its prior ("given
prior"), where the truth is the use beyond what the auxiliary variable tells.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from polar_monitor import entropy
from polar_monitor.criteria import CRITERIA
from polar_monitor.regime.judge import judge
from polar_monitor.regime.label import Label
from polar_monitor.statistics.resolution import RESOLUTION, relative
from polar_monitor.statistics.snapshot import Snapshot
from polar_monitor.statistics.stream import LatentStream

from ..training import truth
from ..training.grid import REPORTED
from ..training.record import Trained

RAW, GIVEN_PRIOR = "raw", "given prior"
HALVES = ("choose", "report")
STATISTICS = (
    "variance", "posterior_variance", "posterior_variance_spread", "entropy_knn", "entropy_knn_se", "information",
    "information_se", "information_upper", "information_upper_se", "variance_gap", "variance_gap_se", "share_active",
    "share_active_se", "share_passive", "share_passive_se", "valley", "valley_se", "upper_kind", "upper_kind_se",
    "finite", "kl", "mean_largest", "entropy_minmax", "share_collapsed",
)  # fmt: skip
"""Of the snapshot, by their names there."""
KAPPAS = (0.03, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Shares of the widest dimensions' scale at which a code without a variance is resolved."""
USES, LEAVES = (0.25, 0.35, 0.5), (0.6, 0.65, 0.7, 0.8)
"""Shares of V + E that σ² must be below where an input uses a dimension, and above where it does not."""


def half_of(seed: int) -> str:
    """Which half a model of that seed is in: "choose" (cuts were and are chosen on it) or "report"."""
    return HALVES[seed in REPORTED]


class View(NamedTuple):
    """A model's held-out latents, (n, D) each, and their statistics."""

    name: str
    mean: NDArray[Any]
    variance: NDArray[Any] | None
    seen: Snapshot


def views(model: Trained) -> Iterator[View]:
    """The latents as they are, and standardised by the prior where that is conditional."""
    variance = None if model.logvar is None else np.exp(model.logvar)
    yield View(RAW, model.mean, variance, snapshot(model.mean, variance))
    if model.prior_mean is not None and model.prior_logvar is not None and model.logvar is not None:
        mean = (model.mean - model.prior_mean) * np.exp(-0.5 * model.prior_logvar)
        variance = np.exp(model.logvar - model.prior_logvar)
        yield View(GIVEN_PRIOR, mean, variance, snapshot(mean, variance))


def snapshot(mean: NDArray[Any], variance: NDArray[Any] | None, resolution: float | None = None) -> Snapshot:
    """The statistics of rows (n, D), all of them in the window; `resolution` is τ in the units of the mean."""
    window = max(512, -(-len(mean) // 16) * 16)
    known = variance is not None
    stream = LatentStream(mean.shape[1], window=window, has_variance=known, resolution=resolution)
    stream.update(mean.astype(np.float32), None if variance is None else variance.astype(np.float32))
    return stream.snapshot(step=0)


def rows(model: Trained) -> Iterator[dict[str, Any]]:
    """One mapping a dimension and view."""
    for view in views(model):
        told = truths(model, view.name == GIVEN_PRIOR)
        ours = judge(view.seen).labels
        by = {"ours": ours, "given_scale": ours if view.variance is not None else given_scale(view.mean)}
        by |= {name: published(view.seen) for name, published in CRITERIA.items()}
        statistics = {name: getattr(view.seen, name) for name in STATISTICS} | at_other_cuts(view)
        for j in range(model.dimensions):
            yield (
                {"model": model.name, "family": model.family, "data": model.data, "strength": model.strength}
                | {
                    "seed": model.seed,
                    "half": half_of(model.seed),
                    "view": view.name,
                    "dimension": j,
                    "n": len(view.mean),
                }
                | {"has_variance": int(view.variance is not None)}
                | {column: labels[j] for column, labels in told.items()}
                | {"live": model.live_labels[j], "rise": model.rise[j], "rise_se": model.rise_se[j]}
                | {"importance": model.importance[j], "share_in_use": model.share_in_use[j], "scale": model.scale}
                | {name: float(value[j]) for name, value in statistics.items()}
                | {f"by_{name}": str(labels[j]) for name, labels in by.items()}
            )


def truths(model: Trained, given_prior: bool) -> dict[str, tuple[str, ...]]:
    """The truth of every dimension as it is taken, and by other definitions, by the names of their columns."""
    known, taken = (model.rows_given_prior, model.truth_given_prior) if given_prior else (model.rows, model.truth)
    assert known is not None
    assert taken is not None
    priced = not math.isnan(model.price)
    unknown = ("unclear",) * model.dimensions
    return {
        "truth": taken,
        "truth_half": truth.labels(known, model.scale, mixed=priced, factor=0.5),
        "truth_twice": truth.labels(known, model.scale, mixed=priced, factor=2.0),
        "truth_plain": truth.labels(known, model.scale, mixed=priced, two_kinds=False),
        "truth_by_mean": unknown if given_prior else truth.in_use(model.rise_mean, model.rise_mean_se, model.scale),
    }


def given_scale(code: NDArray[Any], tau: float = RESOLUTION) -> tuple[Label, ...]:
    """Our labels of a code (n, D) without a variance whose unit is known to be 1: resolved at `tau` itself.

    Without that knowledge the labels do not change when the whole code is rescaled, so that they cannot see it shrink.
    """
    return judge(snapshot(code, None, tau)).labels


def at_other_cuts(view: View) -> dict[str, NDArray[np.float64]]:
    """What the rule would see at every κ of KAPPAS and every cut of USES and LEAVES, (D,) each; NaN where unknown."""
    unknown = np.full(view.seen.dimensions, np.nan)
    names = [f"resolved_{kappa:g}{end}" for kappa in KAPPAS for end in ("", "_se")]
    names += [f"uses_{cut:g}" for cut in USES] + [f"leaves_{cut:g}" for cut in LEAVES]
    found: dict[str, NDArray[np.float64]] = dict.fromkeys(names, unknown)
    if view.variance is None:
        scale = relative(view.mean.astype(np.float64).var(axis=0)) / RESOLUTION
        for kappa in KAPPAS:
            estimate = entropy.resolved(view.mean, kappa * scale, dependent=False)
            found[f"resolved_{kappa:g}"] = np.atleast_1d(estimate.value)
            found[f"resolved_{kappa:g}_se"] = np.atleast_1d(estimate.standard_error)
        return found
    share = view.variance / (view.seen.variance + view.seen.posterior_variance)
    found |= {f"uses_{cut:g}": (share <= cut).mean(axis=0) for cut in USES}
    return found | {f"leaves_{cut:g}": (share >= cut).mean(axis=0) for cut in LEAVES}


def verdict_row(model: Trained) -> dict[str, Any]:
    """The verdict on the model as labels are judged, given its prior where that is conditional, and the truth's."""
    found = {view.name: judge(view.seen) for view in views(model)}
    regime, truth_said = found[RAW], model.verdict
    if model.rows_given_prior is not None:
        regime, truth_said = found[GIVEN_PRIOR], truth.verdict(model.rows_given_prior, model.scale)
    return {
        "model": model.name, "family": model.family, "data": model.data, "strength": model.strength,
        "seed": model.seed, "half": half_of(model.seed), "truth": truth_said, "verdict": str(regime.verdict),
        "reason": regime.reasons[0],
        "raw_truth": model.verdict, "raw": str(found[RAW].verdict), "live": model.live_verdict,
        "seconds": model.seconds, "steps": model.steps,
    }  # fmt: skip
