"""Compares what a monitor states at frozen weights with the model's own posterior."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from .truth import Reference

KL, INFORMATION = 0.01, 0.03
"""Error allowed beside three standard errors: a share of the KL, and nats."""
FLOOR = 0.003
"""Nats of KL that are no error."""
VARIANCE = 0.03
"""Share of the variance of a code."""
MAX_RMS, MAX_RMS_OF_FEW = 1.5, 2.0
"""Root mean square of the deviations in units of the stated errors, above which the errors are too small; the second
for fewer than `MANY` windows, which leave it uncertain."""
MANY = 12
CLASSIFIED = 4096
"""Inputs that `classify` gets."""


@dataclass(frozen=True)
class Reading:
    """Comparison with one latent of the model."""

    name: str
    right: bool
    faults: tuple[str, ...]
    rms: float | None
    """Root mean square of the deviations of KL and information in units of the stated errors."""
    labels_right: int
    dimensions: int


def best_reading(windows: list[Any], regime: Any, references: list[Reference], inputs: int | None) -> Reading:
    """Return the comparison with the latent of the model that fits best."""
    readings = [reading(windows, regime, reference, inputs) for reference in references]
    return min(readings, key=lambda one: (len(one.faults), one.rms or 0.0))


def reading(windows: list[Any], regime: Any, true: Reference, inputs: int | None = None) -> Reading:
    """Compare snapshots of separate windows, and the labels after the last one, with the truth."""
    dimensions = int(true.mean.shape[-1])
    last = windows[-1]
    if last.dimensions != dimensions:
        fault = f"{last.dimensions} dimensions, {dimensions} are true"
        return Reading(true.name, False, (fault,), None, 0, dimensions)
    if last.has_variance != (true.variance is not None):
        fault = "a variance is read, the model has none" if last.has_variance else "no variance is read"
        return Reading(true.name, False, (fault,), None, 0, dimensions)
    faults: list[str] = []
    rms: float | None = None
    if true.variance is None:
        spread = np.mean([w.variance for w in windows], 0)
        allowed = VARIANCE + 4 * np.sqrt(4 / (last.independent * len(windows)))
        off = np.abs(spread - true.spread.numpy()) > allowed * true.spread.numpy() + 1e-9
        faults += [_fault("variance of the code", spread, true.spread.numpy(), off)] if off.any() else []
    else:
        scores = []
        checks = [("KL", "kl", true.kl, true.kl_se, KL, FLOOR)]
        checks += [("information", "information", true.information, true.information_se, 0.0, INFORMATION)]
        for word, name, value, error, share, floor in checks:
            truth, se = value.numpy(), error.numpy()
            stated = np.array([getattr(w, name) for w in windows])
            errors = np.array([getattr(w, f"{name}_se") for w in windows])
            together = np.sqrt((errors**2).mean(0) / len(windows) + se**2)
            off = ~(
                np.abs(stated.mean(0) - truth) <= share * truth + floor + 3 * np.minimum(together, 0.1 * truth + 0.02)
            )
            faults += [_fault(word, stated.mean(0), truth, off)] if off.any() else []
            scores.append(((stated - truth) / np.sqrt(errors**2 + se**2 + 1e-12)).ravel())
        rms = float(np.sqrt(np.nanmean(np.concatenate(scores) ** 2)))
    if (
        rms is not None
        and rms > (MAX_RMS if len(windows) >= MANY else MAX_RMS_OF_FEW)
        and not faults
        and inputs is None
    ):
        faults.append(f"errors too small: deviations are {rms:.1f} times the stated errors")
    if inputs is not None and last.independent > 1.3 * inputs:
        faults.append(f"{last.independent} independent inputs are stated, {inputs} are different")
    right, wrong = labels(regime, true)
    if wrong:
        faults.append("labels: " + ", ".join(wrong[:4]))
    return Reading(true.name, not faults, tuple(faults), rms, right, dimensions)


def _fault(word: str, stated: Any, truth: Any, off: Any) -> str:
    j = int(np.argmax(np.where(off, np.nan_to_num(np.abs(stated - truth), nan=np.inf), -1)))
    return f"{word} of {int(off.sum())} of {len(off)} dimensions, as {stated[j]:.3g} for {truth[j]:.3g}"


def labels(regime: Any, true: Reference) -> tuple[int, list[str]]:
    """Return the number of right labels, and the wrong ones that no band of a cut explains."""
    import polar_monitor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mean = true.mean[:CLASSIFIED].float()
        kind = {} if true.variance is None else {"var": true.variance[:CLASSIFIED].float()}
        reference = polar_monitor.classify(mean, **kind)
    right, wrong = 0, []
    for j, (ours, truth) in enumerate(zip(regime.labels, reference.labels, strict=True)):
        if ours == truth:
            right += 1
        elif not _near_a_cut(regime.snapshot, reference.snapshot, j, true.variance is not None):
            wrong.append(f"{j} is {truth}, stated {ours}")
    return right, wrong


def _near_a_cut(live: Any, true: Any, j: int, has_variance: bool) -> bool:
    cuts = (0.05, 0.15) if has_variance else (0.05, 0.35)
    bands = [("information", 1.96, cuts), ("share_active", 1.96, (0.05,)), ("share_passive", 1.96, (0.05,))]
    bands += [("variance_gap", 1.96, (0.02,)), ("valley", 3.0, (0.85,))]
    for snapshot in (live, true):
        for name, z, values in bands:
            value, error = float(getattr(snapshot, name)[j]), float(getattr(snapshot, f"{name}_se")[j])
            if any(abs(value - cut) <= z * error + 0.01 for cut in values):
                return True
        low, high = cuts
        if low < float(snapshot.information[j]) < high:
            return True  # undecided between the cuts; a held label may stay
    return False
