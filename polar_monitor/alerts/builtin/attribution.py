"""Which cause of a fall the numbers point to, where they separate the causes.

For V = Var μ and E = mean σ² a Gaussian dimension carries ½ log(1 + V/E) nats: it can fall because the noise grows, as
it does when the KL term outweighs the reconstruction, or because the means shrink, as under a penalty on the encoder.
Why the noise grows the latents cannot tell; β and the reconstruction term can, where the loop tells them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...statistics.snapshot import Array, Snapshot
from ..advice import (
    DECODER,
    FASTER,
    LIGHTER,
    NOISE,
    RESCALED,
    SHRINK,
    STRONGER,
    SUDDEN,
    UNKNOWN,
)
from ..signals.cusum import FLOOR
from ..signals.history import BETA, RATE, RECONSTRUCTION, DimensionHistory, Flags, Ints

GROWN = 0.2
"""Least rise of log E that counts as growing noise."""
SHRUNK = 0.3
"""Least fall of log V that counts as shrinking means."""
AWAY = 0.05
"""Nats of KL that a lost dimension does not owe to information: the aggregate posterior is not the prior."""
RISEN = 0.1
"""Least rise of log β that explains growing noise."""
DOUBLED = np.log(2.0)
"""Least rise of the log of the learning rate, and least fall of that of the reconstruction term, that explain one."""


def named(tracks: DimensionHistory, s: Snapshot, plunged: Flags) -> Ints:
    """(D,): the cause of each dimension's fall by what has changed since it was healthy, or UNKNOWN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        grown = np.log(s.posterior_variance) - np.log(tracks.noise)
        shrunk = np.log(tracks.variance) - np.log(s.variance)
        risen = np.log(tracks.told[-1]) - np.log(tracks.told_then)
    used = tracks.was_used & (tracks.in_use > 0)
    noise = (grown >= GROWN) & (grown >= shrunk)
    sudden = plunged & together(tracks, plunged & used, used)
    found = np.where(noise, NOISE, UNKNOWN)
    found = np.where((shrunk >= SHRUNK) & (shrunk >= 2 * np.maximum(grown, 0.0)), SHRINK, found)
    found = np.where(noise, _told(tracks, risen, used, found), found)
    found = np.where(sudden, SUDDEN, found)
    sudden = sudden | ((found != SHRINK) & plunged)
    found = np.where(sudden & (-risen[:, RECONSTRUCTION] >= DOUBLED), RESCALED, found)
    found = np.where(sudden & (risen[:, BETA] >= RISEN), STRONGER, found)
    faster = (risen[:, RATE] >= DOUBLED) & ~np.isin(found, (SHRINK, STRONGER))
    return np.asarray(np.where(faster, FASTER, found), np.int64)


def _told(tracks: DimensionHistory, risen: Array, used: Flags, found: NDArray[np.int_]) -> NDArray[np.int_]:
    """What explains growing noise, where β and the reconstruction term are known."""
    beta, now = tracks.told[-1, BETA], tracks.told[-1, RECONSTRUCTION]
    worse = now - tracks.told_then[:, RECONSTRUCTION]
    lost = float((tracks.information[-1] * np.expm1(tracks.decline.fallen))[used].sum())
    price = 0.5 * lost * beta
    same = risen[:, BETA] < RISEN
    found = np.where(worse <= (price if np.isfinite(price) else 0.0), DECODER, found)
    found = np.where(same & (worse > price), LIGHTER, found)
    return np.where(risen[:, BETA] >= RISEN, STRONGER, found)


def together(tracks: DimensionHistory, plunged: Flags, used: Flags) -> bool:
    """Whether half or more of what is in use plunged in this evaluation, from where it was before."""
    now, before = (np.log(np.maximum(level, FLOOR)) for level in (tracks.information[-1], tracks.information[-2:][0]))
    sudden = plunged & (before - now >= 0.5 * tracks.decline.fallen)
    return bool(used.sum() >= 2 and sudden.sum() >= 0.5 * used.sum())


def dead(s: Snapshot, where: Flags) -> bool:
    """Whether dimensions without information are away from the prior: constant, and not by the KL term's will."""
    known = where & np.isfinite(s.kl) & np.isfinite(s.information)
    return bool(known.any()) and bool(np.median(s.kl[known] - s.information[known]) > AWAY)


def common(places: NDArray[np.int64]) -> int:
    """The cause that most of these falls were put down to."""
    known = places[places != UNKNOWN]
    return int(np.bincount(known).argmax()) if known.size else UNKNOWN
