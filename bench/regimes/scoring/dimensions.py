"""From records of trained models to one row a dimension: the truth, the statistics, and the label by every rule.

A model with a conditional prior gives two rows a dimension: as it is ("raw"), and standardised by its prior ("given
prior"), where the truth is the use beyond what the auxiliary variable tells.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import polar_monitor
from polar_monitor.criteria import CRITERIA
from polar_monitor.intervention.decoder_call import DecoderCall
from polar_monitor.intervention.gate import measure
from polar_monitor.offline.classify import judged
from polar_monitor.regime.judge import judge
from polar_monitor.regime.label import Label
from polar_monitor.statistics.resolution import RESOLUTION, Scale
from polar_monitor.statistics.snapshot import Snapshot
from polar_monitor.statistics.stream import LatentStream

from ..training import grid, truth
from ..training.materials import rebuilt
from ..training.materials import rows as rows_of
from ..training.record import Trained

RAW, GIVEN_PRIOR = "raw", "given prior"
VARIATIONAL, USUAL, HARDER = "VAEs", "autoencoders", "harder autoencoders"
"""Kinds of models, see `grid`."""
STATISTICS = (
    "variance", "posterior_variance", "posterior_variance_spread", "entropy_knn", "entropy_knn_se", "information",
    "information_se", "information_upper", "information_upper_se", "variance_gap", "variance_gap_se", "share_active",
    "share_active_se", "share_passive", "share_passive_se", "valley", "valley_se", "upper_kind", "upper_kind_se",
    "finite", "kl", "mean_largest", "entropy_minmax", "share_collapsed", "gain", "effect",
)  # fmt: skip
"""Of the snapshot, by their names there."""
FEW = 10
"""Dimensions up to which a hundredth of what a whole code explains is at most a tenth of an equal share of it."""


def kind_of(name: str, family: str) -> str:
    """Return the kind of a model of that name: variational, of the usual grid, or of the harder one."""
    if family not in grid.AUTOENCODERS:
        return VARIATIONAL
    return USUAL if name in _usual() else HARDER


@cache
def _usual() -> frozenset[str]:
    return frozenset(
        grid.Spec(family, data, strength, seed).name
        for (family, data), strengths in grid.STRENGTHS.items()
        for strength in strengths
        for seed in grid.REPORTED
    )


class View(NamedTuple):
    """A model's held-out latents, (n, D) each, and their statistics."""

    name: str
    mean: NDArray[Any]
    variance: NDArray[Any] | None
    seen: Snapshot
    """Without a decoder."""
    regime: polar_monitor.Regime
    """By the default rule: that of the monitor, which asks the decoder of a code and has seen the data."""
    of_arrays: polar_monitor.Regime
    """By `polar_monitor.classify`, which has the decoder and not the data."""


def views(model: Trained) -> Iterator[View]:
    """The latents as they are, and standardised by the prior where that is conditional."""
    decoder = rebuilt(model)
    if decoder is not None:
        by_default, of_arrays = asked(decoder.decode, model.mean, data_variance(model.name))
        yield View(RAW, model.mean, None, snapshot(model.mean, None), by_default, of_arrays)
        return
    assert model.logvar is not None
    variance = np.exp(model.logvar)
    yield _with_variance(RAW, model.mean, variance)
    if model.prior_mean is not None and model.prior_logvar is not None:
        mean = (model.mean - model.prior_mean) * np.exp(-0.5 * model.prior_logvar)
        yield _with_variance(GIVEN_PRIOR, mean, np.exp(model.logvar - model.prior_logvar))


def _with_variance(name: str, mean: NDArray[Any], variance: NDArray[Any]) -> View:
    seen = snapshot(mean, variance)
    return View(name, mean, variance, seen, judge(seen), judge(seen))


def asked(decoder: Any, code: NDArray[Any], variance: float) -> tuple[polar_monitor.Regime, polar_monitor.Regime]:
    """The regimes of a code (n, D) on the scale of its decoder: with the variance of the data, and without it."""
    m = measure(DecoderCall.of(decoder), code, variance)
    scale = Scale.of(m.gain, m.effect, m.effect_se, m.reference)
    by_default, _ = judged(code, None, None, None, None, "information", scale=lambda codes, rows: scale)
    return by_default, polar_monitor.classify(code, decoder=decoder)


@cache
def data_variance(name: str) -> float:
    """The mean variance of a number of the data of a model of the grid, over held-out inputs."""
    (spec,) = [spec for spec in grid.full() if spec.name == name]
    return float(rows_of(spec)[1].x.var(0).mean())


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
        without = judge(view.seen).labels
        by = {"ours": view.regime.labels, "arrays": view.of_arrays.labels, "no_decoder": without}
        by["decided"] = decided(view.regime)
        by["given_scale"] = without if view.variance is not None else given_scale(view.mean)
        by |= {name: published(view.seen) for name, published in CRITERIA.items()}
        statistics = statistics_of(view)
        for j in range(model.dimensions):
            yield (
                {"model": model.name, "family": model.family, "data": model.data, "strength": model.strength}
                | {
                    "seed": model.seed,
                    "kind": kind_of(model.name, model.family),
                    "view": view.name,
                    "dimension": j,
                    "n": len(view.mean),
                }
                | {"has_variance": int(view.variance is not None)}
                | {column: labels[j] for column, labels in told.items()}
                | {
                    "live": model.live_labels[j],
                    "raw_truth": model.truth[j],
                    "rise": model.rise[j],
                    "rise_se": model.rise_se[j],
                    "rise_all": model.rise_all,
                    "loss": model.loss,
                }
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
    fair = min(1.0, FEW / model.dimensions)
    return {
        "truth": taken,
        "truth_half": truth.labels(known, model.scale, mixed=priced, factor=0.5),
        "truth_twice": truth.labels(known, model.scale, mixed=priced, factor=2.0),
        "truth_fair": taken if priced else truth.labels(known, model.scale, mixed=False, factor=fair),
        "truth_plain": truth.labels(known, model.scale, mixed=priced, two_kinds=False),
        "truth_by_mean": unknown if given_prior else truth.in_use(model.rise_mean, model.rise_mean_se, model.scale),
    }


def decided(regime: polar_monitor.Regime) -> tuple[Label, ...]:
    """The labels of a regime with undecided dimensions by the nearer cut."""
    used = set(regime.likely_in_use)
    open_ = (Label.ACTIVE if j in used else Label.PASSIVE for j in range(len(regime.labels)))
    return tuple(o if own is Label.UNDECIDED else own for own, o in zip(regime.labels, open_, strict=True))


def given_scale(code: NDArray[Any], tau: float = RESOLUTION) -> tuple[Label, ...]:
    """Our labels of a code (n, D) without a variance whose unit is known to be 1: resolved at `tau` itself.

    Without that knowledge the labels do not change when the whole code is rescaled, so that they cannot see it shrink.
    """
    return judge(snapshot(code, None, tau)).labels


def statistics_of(view: View) -> dict[str, NDArray[np.float64]]:
    """The statistics of the default rule, (D,) each."""
    seen = view.regime.snapshot
    assert seen is not None
    return {name: np.broadcast_to(getattr(seen, name), seen.dimensions) for name in STATISTICS}


def verdict_row(model: Trained) -> dict[str, Any]:
    """The verdict on the model as labels are judged, given its prior where that is conditional, and the truth's."""
    found = {view.name: view.regime for view in views(model)}
    regime, truth_said = found[RAW], model.verdict
    if model.rows_given_prior is not None:
        regime, truth_said = found[GIVEN_PRIOR], truth.verdict(model.rows_given_prior, model.scale)
    return {
        "model": model.name, "family": model.family, "data": model.data, "strength": model.strength,
        "seed": model.seed, "kind": kind_of(model.name, model.family), "truth": truth_said,
        "verdict": str(regime.verdict),
        "reason": regime.reasons[0],
        "raw_truth": model.verdict, "raw": str(found[RAW].verdict), "live": model.live_verdict,
        "seconds": model.seconds, "steps": model.steps,
    }  # fmt: skip
