"""Names the cause of a fall, where the numbers separate the causes.

For V = Var μ and E = mean σ² a Gaussian dimension carries ½ log(1 + V/E) nats. Where the KL term outweighs the
reconstruction, V shrinks and E grows while V + E stays at 1, for all inputs. A penalty on the encoder makes V + E
small. Where units die, E grows for some inputs only. An encoder that is thrown off leaves the prior.
The latents cannot show why the KL term outweighs. β and the reconstruction term can, if the training loop logs them.
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
MAX_VARIANCE_GAP = 0.1
"""Nats, in the median of the dimensions in use. With more, the noise grows for some inputs only, as where units die: a
weight of a loss term acts on all."""
MIN_UNIT_NOISE, MIN_NOISE_SHARE = 0.3, 0.8
"""A smaller rise of log E, or one that is less than this share of the fall of log V, is no sign of units that die: a
young encoder has uneven variances too."""
UNSETTLED = 0.5
"""Windows after a fall began in which variances of before and after it are uneven, whatever the cause."""
MIN_MEAN_SHRINKAGE = 0.3
"""A smaller fall of log V is no shrinking of the means."""
MIN_LOST_SIZE, MAX_SIZE = 0.4, -0.4
"""A smaller fall of log(V + E), or a code that is not as small as that, is no penalty on the code: the KL term holds
V + E at 1, the variance of the prior."""
MIN_PRESSED_NOISE = 0.1
"""A smaller rise of log E is none that the KL term makes in a small code: it pulls E up to the prior's."""
MAX_MEDIAN_SIZE = -0.25
"""The median of log(V + E) up to which a penalty acts on the whole code."""
MAX_SHIFT = 0.3
"""A larger share of the squared mean in V + E is none that the KL term makes: the encoder is off."""
MAX_SQUARED_MEAN = 0.3
"""A larger squared mean, in variances of the prior, is none that a penalty on the code makes: it pulls to 0."""
MAX_KL_EXCESS = 0.3
"""Nats of KL beyond the information up to which the KL term may have made a code small."""
SUDDEN_STEPS, MAX_SUDDEN_STEPS, MIN_SUDDEN_DROP = 30.0, 50.0, 0.36
"""An interval of the evaluations up to which any plunge is sudden; the longest one that shows a sudden loss; and the
least drop of the logarithm between the two: 0.3 of the level."""
MIN_COMMON_DROP = 0.15
"""A smaller drop of the logarithm in a few steps is no fall that dimensions have in common."""
MIN_KL_EXCESS = 0.05
"""Nats of KL beyond the information: with more, the aggregate posterior is not the prior."""
MAX_RELIABILITY = 0.05
"""Share of the means in the variance of the code, and their variance itself, up to which they are constant."""
COURSE_STEPS = 100.0
"""Steps of the latest evaluations that the reconstruction term is averaged over."""
MIN_BETA_RISE = 0.1
"""A smaller rise of log β does not explain growing noise."""
MIN_RATE_RISE = MIN_RECONSTRUCTION_FALL = np.log(2.0)
"""A smaller change of the logarithm of the learning rate, or of the reconstruction term, explains nothing."""


def causes_of_falls(history: DimensionHistory, s: Snapshot, plunges: Flags, weight_decay: float | None = None) -> Ints:
    """Return the cause (D,) of each dimension's fall, by its course since it was healthy; or `Cause.UNKNOWN`.

    `weight_decay` is that of the optimiser; None if it is not known.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        noise_growth = np.log(s.posterior_variance) - np.log(history.healthy_noise)
        shrinkage = np.log(history.healthy_variance) - np.log(s.variance)
        size = np.log(s.variance + s.posterior_variance)
        lost_size = np.log(history.healthy_variance + history.healthy_noise) - size
        rise = np.log(_highest_context(history)) - np.log(history.healthy_context)
    used = history.was_used & history.used
    small = (shrinkage >= MIN_MEAN_SHRINKAGE) & (lost_size >= MIN_LOST_SIZE) & (size <= MAX_SIZE)
    small |= (shrinkage >= MIN_MEAN_SHRINKAGE) & (_median(size, used) <= MAX_MEDIAN_SIZE)
    off = small & (s.kl - s.information > MAX_KL_EXCESS)
    off |= s.mean**2 > MAX_SHIFT * (s.variance + s.posterior_variance)
    if weight_decay is None:
        penalised = small & (shrinkage >= 2 * np.maximum(noise_growth, 0.0))
        doubtful = small
    else:
        penalised = small & (weight_decay > 0)
        doubtful = penalised | (small & (noise_growth < MIN_PRESSED_NOISE))
    penalised = penalised & (s.mean**2 <= MAX_SQUARED_MEAN)
    moved = ((noise_growth >= MIN_NOISE_GROWTH) | (shrinkage >= MIN_MEAN_SHRINKAGE)) & ~off & ~doubtful
    uneven = _median(s.variance_gap, used) > MAX_VARIANCE_GAP
    pressed = moved & (not uneven)
    dying = moved & ~pressed & (noise_growth >= np.maximum(MIN_UNIT_NOISE, MIN_NOISE_SHARE * shrinkage))
    dying &= _even_from(s) >= history.healthy_step
    causes = np.where(pressed, Cause.NOISE_GROWS, Cause.UNKNOWN)
    causes = np.where(dying, Cause.UNITS_DIE, causes)
    causes = np.where(penalised, Cause.MEANS_SHRINK, causes)
    causes = _refined(history, rise, used, causes, pressed, small & ~off, weight_decay)
    sudden = (plunges & fell_together(history, plunges & used, used)) | began_together(history, used)
    causes = np.where(sudden, Cause.ALL_AT_ONCE, causes)
    sudden = sudden | ((causes != Cause.MEANS_SHRINK) & plunges)
    causes = np.where(sudden & was_rescaled(history), Cause.RECONSTRUCTION_RESCALED, causes)
    causes = np.where(sudden & (rise[:, BETA] >= MIN_BETA_RISE), Cause.BETA_RISES, causes)
    faster = (rise[:, RATE] >= MIN_RATE_RISE) & ~np.isin(causes, (Cause.MEANS_SHRINK, Cause.BETA_RISES))
    return np.asarray(np.where(faster, Cause.LEARNING_RATE_RISES, causes), np.int64)


def _refined(
    history: DimensionHistory,
    rise: Array,
    used: Flags,
    causes: NDArray[np.int_],
    pressed: Flags,
    small: Flags,
    weight_decay: float | None,
) -> NDArray[np.int_]:
    """Return what explains a fall where β and the reconstruction term are known, whichever moment moves first.

    A penalty on the code makes the reconstruction worse too: of a `small` code the decoder does without only if it gets
    no worse at all.
    """
    now = history.recent[-1]
    beta, reconstruction = now.context[BETA], _latest_reconstruction(history)
    loss = reconstruction - history.healthy_context[:, RECONSTRUCTION]
    with np.errstate(invalid="ignore", divide="ignore"):
        healthy = 0.5 * np.log1p(history.healthy_variance / history.healthy_noise)
    lost = float(np.nansum(np.maximum(healthy - now.level, 0.0)[used]))
    price = 0.5 * lost * beta if np.isfinite(beta) else 0.0
    same_beta = rise[:, BETA] < MIN_BETA_RISE
    causes = np.where((pressed & (loss <= price) & ~small) | (small & (loss <= 0)), Cause.POWERFUL_DECODER, causes)
    pressed = pressed | (small & (weight_decay == 0))
    causes = np.where(pressed & same_beta & (loss > price), Cause.RECONSTRUCTION_COUNTS_LESS, causes)
    return np.where((causes != Cause.UNKNOWN) & (rise[:, BETA] >= MIN_BETA_RISE), Cause.BETA_RISES, causes)


def _median(values: Array, used: Flags) -> float:
    """Return the median over the dimensions in use; NaN if none is known."""
    known = values[used & np.isfinite(values)]
    return float(np.median(known)) if known.size else math.nan


def _even_from(s: Snapshot) -> float:
    """Return the last step at which a fall may have begun whose variances are not those of before and after it."""
    return s.rows_from - UNSETTLED * (s.rows_to - s.rows_from)


def _highest_context(history: DimensionHistory) -> Array:
    """Return the highest β and learning rate (D, 3) since each dimension was healthy: a spike may be over by now."""
    known, steps, since = history.context, history.steps, history.healthy_step
    after = (steps[:, None] >= since) | (steps[:, None] == steps[-1])
    values = np.where(after[:, :, None] & np.isfinite(known)[:, None, :], known[:, None, :], -np.inf)
    highest = values.max(axis=0)
    return np.where(np.isfinite(highest), highest, np.nan)


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


def began_together(history: DimensionHistory, used: Flags) -> Flags:
    """Return which dimensions were healthy a few steps ago and fall fast (D,), if half or more of those in use do."""
    now = history.recent[-1].step
    passed = (now - history.healthy_step) / scale_at(now)
    least = np.maximum(MIN_COMMON_DROP, MIN_SUDDEN_DROP * passed / MAX_SUDDEN_STEPS)
    falls = used & (passed <= MAX_SUDDEN_STEPS) & (history.cusum.unreported_drop >= least)
    return falls if used.sum() >= 2 and falls.sum() >= 0.5 * used.sum() else np.zeros_like(falls)


def is_constant(s: Snapshot, where: Flags) -> bool:
    """Return True if the means are constant away from the prior: the KL term did not make them so."""
    known = where & np.isfinite(s.kl) & np.isfinite(s.information) & np.isfinite(s.reliability)
    if not known.any() or not np.median(np.maximum(s.reliability, s.variance)[known]) <= MAX_RELIABILITY:
        return False
    return bool(np.median(s.kl[known] - s.information[known]) > MIN_KL_EXCESS)


def by_frequency(causes: Ints) -> tuple[Cause, ...]:
    """Return the causes that are known, the most frequent one first."""
    counts = np.bincount(causes[causes != Cause.UNKNOWN])
    return tuple(Cause(int(k)) for k in np.argsort(-counts, kind="stable") if counts[k])


def most_common(causes: Ints) -> Cause:
    """Return the most frequent cause that is known."""
    return next(iter(by_frequency(causes)), Cause.UNKNOWN)
