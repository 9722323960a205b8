"""Plausible records of evaluations without any training, for the tests of what comes after the measuring."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from polar_monitor.alerts.advice import KIND_ADVICE
from polar_monitor.alerts.alert import Alert, AlertKind, Forecast
from polar_monitor.evaluation import Evaluation, Health
from polar_monitor.regime.label import Label
from polar_monitor.regime.regime import Regime, Verdict
from polar_monitor.sinks.jsonl_record import USUAL_SIDES
from polar_monitor.statistics.rounding import rounded
from polar_monitor.statistics.snapshot import Histogram, Snapshot

WINDOW = 4096
ACTIVE, PASSIVE, MIXED, UNDECIDED = Label.ACTIVE, Label.PASSIVE, Label.MIXED, Label.UNDECIDED
OF_FULL = (
    "drift", "drift_se",
    "entropy_knn", "entropy_knn_se", "entropy_hist", "entropy_hist_se", "ties", "max_correlation",
    "max_correlation_sampled", "mean_largest", "entropy_minmax", "posterior_deviation", "share_narrow",
    "share_standard", "share_collapsed",
)  # fmt: skip
"""Statistics of the dimensions that only a full evaluation has."""
NATS = {ACTIVE: 2.0, MIXED: 0.8, UNDECIDED: 0.1, PASSIVE: 0.01}


def make_snapshot(
    step: int, labels: Sequence[Label], *, information: Sequence[float] | None = None, bins: int = 256, seed: int = 0
) -> Snapshot:
    """Statistics of Gaussian dimensions with the information that belongs to each label, or with the one given."""
    rng = np.random.default_rng((seed, step))
    D = len(labels)
    nats = np.array([NATS[label] for label in labels]) * rng.uniform(0.9, 1.1, D)
    if information is not None:
        nats = np.asarray(information, dtype=np.float64)
    reliability = 1.0 - np.exp(-2.0 * nats)
    variance = reliability
    E = 1.0 - reliability
    error = np.full(D, 0.01)
    mixed = np.array([label is MIXED for label in labels])
    spread = np.sqrt(np.where(np.isfinite(variance), variance, 1.0))
    histograms, of_log = [], []
    for scale, noise in zip(spread, np.log(np.maximum(np.nan_to_num(E, nan=1.0), 1e-12)), strict=True):
        values = rng.normal(0.0, max(scale, 1e-3), 1000)
        of_log.append(Histogram(float(noise) - 0.5, 0.25, np.array([20, 400, 500, 80]), float(noise) - 0.5, noise))
        low, high = float(values.min()), float(values.max())
        width = 1.25 * (high - low) / bins
        counts = np.bincount(((values - low) / width + 0.1 * bins).astype(int), minlength=bins).astype(np.int64)
        histograms.append(Histogram(low - 0.1 * bins * width, width, counts, low, high))
    entropy = 0.5 * np.log(2 * math.pi * math.e * np.maximum(variance, 1e-12))
    gap = np.where(mixed, 0.4, 0.01)
    arrays = dict(
        mean=rng.normal(0, 0.05, D),
        variance=variance,
        posterior_variance=E,
        posterior_variance_spread=np.where(mixed, 0.2, 0.001),
        log_variance=np.log(np.maximum(E, 1e-12)),
        entropy_knn=entropy,
        entropy_knn_se=error,
        entropy_hist=entropy,
        entropy_hist_se=error,
        information=nats,
        information_se=error,
        information_upper=nats + 0.005,
        information_upper_se=error,
        variance_gap=gap,
        variance_gap_se=error,
        reliability=reliability,
        reliability_se=error,
        share_active=np.where(mixed, 0.5, (nats > 0.15).astype(float)),
        share_active_se=error,
        share_passive=np.where(mixed, 0.5, (nats <= 0.05).astype(float)),
        share_passive_se=error,
        valley=np.where(mixed, 0.1, 1.0),
        valley_se=error,
        finite=np.full(D, float(WINDOW)),
        kl=nats + 0.02,
        kl_se=error,
        max_correlation=rng.uniform(0, 0.3, D),
        max_correlation_sampled=rng.uniform(0, 0.3, D),
        ties=np.zeros(D),
        non_finite=np.zeros(D),
    )
    snapshot = Snapshot(
        step=step,
        rows=128 * step,
        n=WINDOW,
        independent=WINDOW,
        has_variance=True,
        resolution=math.nan,
        **{name: np.asarray(array, dtype=np.float64) for name, array in arrays.items()},
        joint_entropy=float(D),
        joint_entropy_se=0.02,
        effective_rank=0.8 * D,
        histograms=tuple(histograms),
        log_variance_histograms=tuple(of_log),
    )
    return rounded(snapshot)


def light(snapshot: Snapshot) -> Snapshot:
    """The same statistics without those that only a full evaluation has."""
    unknown = dict.fromkeys(OF_FULL, np.full(snapshot.dimensions, math.nan))
    nothing = dict.fromkeys(("joint_entropy", "joint_entropy_se", "effective_rank"), math.nan)
    return replace(snapshot, full=False, histograms=(), log_variance_histograms=(), **unknown, **nothing)  # type: ignore[arg-type]


def make_evaluation(
    step: int = 100,
    labels: Sequence[Label] = (ACTIVE, PASSIVE, MIXED, UNDECIDED),
    *,
    name: str = "",
    mode: str = "train",
    alerts: tuple[Alert, ...] = (),
    verdict: Verdict = Verdict.POLARISED,
    observed: int = 12_800,
    empty: bool = False,
    information: Sequence[float] | None = None,
    bins: int = 256,
    overhead: float = 0.004,
) -> Evaluation:
    """One record; with `empty` one in which nothing was observed, so without snapshot and regime."""
    labels = tuple(labels)
    regime = Regime(
        step=step,
        labels=labels,
        latest=labels,
        sides=tuple(USUAL_SIDES[label] for label in labels),
        evidence=(0.0,) * (3 * len(labels)),
        was_informative=True,
        verdict=verdict,
        reasons=(f"{len(labels)} dimensions; the weakest informative one carries 9.5 times the strongest passive one",),
    )
    health = Health(
        steps=step,
        calls=step,
        steps_rested=0,
        rows_seen=128 * step,
        rows_dropped=0,
        rows_empty=0,
        errors=0,
        last_error="",
        overhead=overhead,
        every=100,
        evaluations=step // 100,
        sink_drops=0,
    )
    return Evaluation(
        step=step,
        time=1.7e9 + 0.01 * step,
        name=name,
        mode=mode,
        observed=0 if empty else observed,
        snapshot=None if empty else make_snapshot(step, labels, information=information, bins=bins),
        regime=None if empty else regime,
        alerts=alerts,
        health=health,
    )


def make_alert(step: int = 100, dimension: int | None = 7, kind: AlertKind = AlertKind.FADING) -> Alert:
    """One alert with all that an alert can hold."""
    return Alert(
        kind=kind,
        step=step,
        dimension=dimension,
        message=f"dimension {dimension} is fading: information fell from 1.20 to 0.48 nats",
        evidence={"information": 0.48, "before": 1.2},
        forecast=Forecast(step + 500, step + 300, step + 900),
        last_healthy_step=max(step - 800, 0),
        causes=KIND_ADVICE[kind].causes,
        advice=KIND_ADVICE[kind].advice,
    )


def make_run(evaluations: int = 60, dimensions: int = 10, *, bins: int = 256) -> list[Evaluation]:
    """A run that starts undecided, polarises, and then loses dimensions one by one; the last but one is mixed."""
    rng = np.random.default_rng(dimensions)
    settled = rng.integers(3, max(evaluations // 4, 4), dimensions)
    lost = np.full(dimensions, 10 * evaluations)
    lost[: dimensions // 4] = rng.integers(evaluations // 2, evaluations, dimensions // 4)
    run = []
    for i in range(evaluations):
        labels = []
        for j in range(dimensions):
            label = MIXED if j == dimensions - 2 else ACTIVE if j < (dimensions + 1) // 2 else PASSIVE
            labels.append(UNDECIDED if i < settled[j] else PASSIVE if i >= lost[j] else label)
        alerts = tuple(make_alert(100 * (i + 1), int(j)) for j in np.flatnonzero(lost == i + 3))
        verdict = Verdict.GRADED if UNDECIDED in labels else Verdict.POLARISED
        run.append(make_evaluation(100 * (i + 1), labels, alerts=alerts, verdict=verdict, bins=bins))
    return run
