"""Names the cause of a fall, where the numbers separate the causes.

For V = Var μ and E = mean σ² a Gaussian dimension carries ½ log(1 + V/E) nats. It can fall because the noise grows, as
it does when the KL term outweighs the reconstruction, or because the means shrink, as under a penalty on the encoder.
The latents cannot show why the noise grows. β and the reconstruction term can, if the training loop logs them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...statistics.snapshot import Array, Snapshot
from ..advice import Cause
from .history import DimensionHistory, Flags, Ints
from .pace import scale_at
from .recent import BETA, MAX_CONTEXT_STEPS, RATE, RECONSTRUCTION

MIN_NOISE_GROWTH = 0.2
"""A smaller rise of log E is no growing noise."""
MAX_VARIANCE_GAP = 0.09
"""Nats. With more, the noise grows for some inputs only, as where units die: a weight of a loss term acts on all."""
MIN_MEAN_SHRINKAGE = 0.3
"""A smaller fall of log V is no shrinking of the means."""
SUDDEN_STEPS, MAX_SUDDEN_STEPS, MIN_SUDDEN_DROP = 30.0, 50.0, 0.36
"""An interval of the evaluations up to which any plunge is sudden; the longest one that shows a sudden loss; and the
least drop of the logarithm between the two: 0.3 of the level."""
MIN_KL_EXCESS = 0.05
"""Nats of KL beyond the information: with more, the aggregate posterior is not the prior."""
MAX_RELIABILITY = 0.05
"""Share of the means in the variance of the code up to which they are constant."""
COURSE_STEPS = 100.0
"""Steps of the latest evaluations that the reconstruction term is averaged over."""
MIN_BETA_RISE = 0.1
"""A smaller rise of log β does not explain growing noise."""
MIN_RATE_RISE = MIN_RECONSTRUCTION_FALL = np.log(2.0)
"""A smaller change of the logarithm of the learning rate, or of the reconstruction term, explains nothing."""


def causes_of_falls(history: DimensionHistory, s: Snapshot, plunges: Flags, weight_decay: float | None = None) -> Ints:
    """Return the cause (D,) of each dimension's fall, by the changes since it was healthy; or `Cause.UNKNOWN`.

    `weight_decay` is that of the optimiser; None if it is not known.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        noise_growth = np.log(s.posterior_variance) - np.log(history.healthy_noise)
        shrinkage = np.log(history.healthy_variance) - np.log(s.variance)
        rise = np.log(history.recent[-1].context) - np.log(history.healthy_context)
    used = history.was_used & history.used
    noisier = (noise_growth >= MIN_NOISE_GROWTH) & (noise_growth >= shrinkage) & ~(s.variance_gap > MAX_VARIANCE_GAP)
    shrunk = (shrinkage >= MIN_MEAN_SHRINKAGE) & (shrinkage >= 2 * np.maximum(noise_growth, 0.0))
    sudden = plunges & fell_together(history, plunges & used, used)
    causes = np.where(noisier, Cause.NOISE_GROWS, Cause.UNKNOWN)
    causes = np.where(shrunk, Cause.MEANS_SHRINK, causes)
    counts_less = noisier | (shrunk & (weight_decay == 0))
    causes = _refined(history, rise, used, causes, counts_less, shrunk)
    causes = np.where(sudden, Cause.ALL_AT_ONCE, causes)
    sudden = sudden | ((causes != Cause.MEANS_SHRINK) & plunges)
    causes = np.where(sudden & was_rescaled(history), Cause.RECONSTRUCTION_RESCALED, causes)
    causes = np.where(sudden & (rise[:, BETA] >= MIN_BETA_RISE), Cause.BETA_RISES, causes)
    faster = (rise[:, RATE] >= MIN_RATE_RISE) & ~np.isin(causes, (Cause.MEANS_SHRINK, Cause.BETA_RISES))
    return np.asarray(np.where(faster, Cause.LEARNING_RATE_RISES, causes), np.int64)


def _refined(
    history: DimensionHistory, rise: Array, used: Flags, causes: NDArray[np.int_], counts_less: Flags, shrunk: Flags
) -> NDArray[np.int_]:
    """Return what explains a fall where β and the reconstruction term are known, whichever moment moves first.

    A reconstruction that is worse is a cause only where something `counts_less`; means that shrank under a penalty make
    it worse too, so with them the decoder is named only if it does not get worse at all.
    """
    now = history.recent[-1]
    beta, reconstruction = now.context[BETA], _latest_reconstruction(history)
    loss = reconstruction - history.healthy_context[:, RECONSTRUCTION]
    lost = float((now.level * np.expm1(history.cusum.drop))[used].sum())
    price = 0.5 * lost * beta
    allowed = np.where(shrunk, 0.0, price if np.isfinite(price) else 0.0)
    same_beta = rise[:, BETA] < MIN_BETA_RISE
    causes = np.where((causes != Cause.UNKNOWN) & (loss <= allowed), Cause.POWERFUL_DECODER, causes)
    causes = np.where(counts_less & same_beta & (loss > price), Cause.RECONSTRUCTION_COUNTS_LESS, causes)
    return np.where(rise[:, BETA] >= MIN_BETA_RISE, Cause.BETA_RISES, causes)


def _latest_reconstruction(history: DimensionHistory) -> float:
    """Return the mean reconstruction term of the latest evaluations: one alone may be of an odd batch."""
    newest = history.recent[-1].step
    first = newest - COURSE_STEPS * scale_at(newest)
    values = [one.context[RECONSTRUCTION] for one in history.recent[-3:] if one.step >= first]
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def was_rescaled(history: DimensionHistory) -> bool:
    """Return True if the reconstruction term fell at once to less than half of all that it was shortly before."""
    newest = history.recent[-1].step
    first = newest - MAX_CONTEXT_STEPS * scale_at(newest)
    terms = [one.context[RECONSTRUCTION] for one in history.recent if one.step >= first]
    terms = [term for term in terms if term > 0]
    return any(math.log(min(terms[:k]) / terms[k]) >= MIN_RECONSTRUCTION_FALL for k in range(1, len(terms)))


def nameable(causes: Ints, weight_decay: float | None) -> Ints:
    """Return the causes without those that the optimiser rules out: without weight decay none shrinks the means."""
    if weight_decay != 0:
        return causes
    return np.where(causes == Cause.MEANS_SHRINK, Cause.UNKNOWN, causes)


def causes_of_loss(s: Snapshot, where: Flags, causes: Ints) -> tuple[Cause, ...]:
    """Return the causes of dimensions that are lost, the most frequent one first; `causes` are those of their falls."""
    known = by_frequency(causes[where])
    explained = known and known[0] in (Cause.MEANS_SHRINK, Cause.POWERFUL_DECODER)
    return (Cause.DEAD_ENCODER,) if not explained and is_constant(s, where) else known


def fell_together(history: DimensionHistory, plunges: Flags, used: Flags) -> bool:
    """Return True if half or more of the dimensions in use lost most of their drop within a few steps.

    An interval of the evaluations that is longer cannot show it: a steady fall lies within it too.
    """
    before, now = history.recent[-2:][0], history.recent[-1]
    passed = (now.step - before.step) / scale_at(now.step)
    if passed > MAX_SUDDEN_STEPS:
        return False
    least = MIN_SUDDEN_DROP if passed > SUDDEN_STEPS else 0.0
    lost = before.log_level - now.log_level
    sudden = plunges & (lost >= np.maximum(0.5 * history.cusum.drop, least))
    return bool(used.sum() >= 2 and sudden.sum() >= 0.5 * used.sum())


def is_constant(s: Snapshot, where: Flags) -> bool:
    """Return True if the means are constant away from the prior: the KL term did not make them so."""
    known = where & np.isfinite(s.kl) & np.isfinite(s.information) & np.isfinite(s.reliability)
    if not known.any() or not np.median(s.reliability[known]) <= MAX_RELIABILITY:
        return False
    return bool(np.median(s.kl[known] - s.information[known]) > MIN_KL_EXCESS)


def by_frequency(causes: Ints) -> tuple[Cause, ...]:
    """Return the causes that are known, the most frequent one first."""
    counts = np.bincount(causes[causes != Cause.UNKNOWN])
    return tuple(Cause(int(k)) for k in np.argsort(-counts, kind="stable") if counts[k])


def most_common(causes: Ints) -> Cause:
    """Return the most frequent cause that is known."""
    return next(iter(by_frequency(causes)), Cause.UNKNOWN)
