"""Which cause of a fall the numbers of a snapshot point to, where they separate the causes.

For V = Var μ and E = mean σ² a Gaussian dimension carries ½ log(1 + V/E) nats: it can fall because the noise grows, as
it does when the KL term outweighs the reconstruction, or because the means shrink, as under a penalty on the encoder.
What the snapshot does not hold (β, the loss terms, the decoder) it cannot tell apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .alerts import ADVICE, CAUSES, AlertKind
from .detector import FLOOR
from .snapshot import Snapshot
from .tracks import Flags, Ints, Tracks

UNKNOWN, NOISE, SHRINK, SUDDEN, DEAD = range(5)
NAMES = ("unknown", "noise grows", "means shrink", "all at once", "dead encoder")
SAID = (
    "",
    "the noise of the posterior grows while its means stay: the KL term outweighs what the decoder makes of the code "
    "(β rises or is too high, the decoder variance grows, or the decoder learns to do without the code)",
    "the means shrink while the noise stays: weight decay or another penalty on the encoder and its heads",
    "most dimensions in use fell within one evaluation: something changed at once (β, the reduction of a loss term, "
    "the learning rate), or the units before the heads died",
    "the means are constant and the noise is not the prior's: the encoder is dead (dying ReLUs, a learning-rate spike)",
)
TRY = (
    "",
    "lower β, or stop raising it; free bits or a target for the rate keep a dimension that is wanted",
    "take the encoder's heads out of the weight decay, or lower it",
    "compare the configuration with that of the last healthy step, and go back to it",
    "go back to the last healthy step with a lower learning rate, gradient clipping, or leaky units before the heads",
)
GROWN = 0.2
"""Least rise of log E that counts as growing noise."""
SHRUNK = 0.3
"""Least fall of log V that counts as shrinking means."""
AWAY = 0.05
"""Nats of KL that a lost dimension does not owe to information: the aggregate posterior is not the prior."""


def named(tracks: Tracks, s: Snapshot, plunged: Flags) -> Ints:
    """(D,): NOISE or SHRINK by the change since a dimension was healthy, SUDDEN where most plunged, else UNKNOWN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        grown = np.log(s.posterior_variance) - np.log(tracks.noise)
        shrunk = np.log(tracks.variance) - np.log(s.variance)
    found = np.where((grown >= GROWN) & (grown >= shrunk), NOISE, UNKNOWN)
    found = np.where((shrunk >= SHRUNK) & (shrunk >= 2 * np.maximum(grown, 0.0)), SHRINK, found)
    used = tracks.was_used & (tracks.in_use > 0)
    return np.asarray(np.where(plunged & together(tracks, plunged & used, used), SUDDEN, found), np.int64)


def together(tracks: Tracks, plunged: Flags, used: Flags) -> bool:
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


def told(kind: AlertKind, place: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Causes and advice of an alert: the named cause alone, or all that are possible."""
    if place == UNKNOWN:
        return CAUSES[kind], ADVICE[kind]
    return (SAID[place],), (TRY[place], *ADVICE[kind])
