"""Sentences that say why published criteria disagree with our label, all made from the table of criteria."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..statistics.resolution import noise_of
from ..statistics.snapshot import Snapshot
from .criterion import digits
from .label import Label
from .published import CRITERIA


def disagree(one: Label, other: Label, knows_mixed: bool) -> bool:
    """Return True if two labels contradict each other. UndecidedError contradicts nothing.

    Active and mixed contradict each other only if both criteria know mixed dimensions (`knows_mixed`).
    """
    return one is not other and Label.UNDECIDED not in (one, other) and (knows_mixed or Label.PASSIVE in (one, other))


def disagreements(s: Snapshot, j: int, ours: Label) -> Iterator[str]:
    """Yield a sentence for each published criterion that contradicts our label of dimension j."""
    for name, criterion in CRITERIA.items():
        label = criterion(s)[j]
        if disagree(label, ours, criterion.knows_mixed):
            yield f"{name} says {label}: {criterion.explain(s, j)}, but {CONTEXT[criterion.leaves_out](s, j)}"


def opinions(s: Snapshot, j: int) -> str:
    """Return the labels that the criteria give dimension j: 'active by …; passive by …'."""
    by: dict[Label, list[str]] = {}
    for name, criterion in CRITERIA.items():
        by.setdefault(criterion(s)[j], []).append(name)
    return "; ".join(f"{label} by {', '.join(by[label])}" for label in Label if label in by and label != "undecided")


def _noise(s: Snapshot, j: int) -> str:
    """Return ½ log(1 + V / E): the information of a Gaussian mean of variance V in noise of variance E."""
    noise = float(s.posterior_variance[j]) if s.has_variance else noise_of(s, j) ** 2
    scale = f"a posterior variance of {digits(noise)}" if s.has_variance else f"the resolution {digits(noise_of(s, j))}"
    signal = 0.5 * math.log1p(float(s.variance[j]) / noise)
    worth = f"Var μ = {digits(s.variance[j])} corresponds to {digits(signal)} nats"
    return f"it leaves out the noise: at {scale}, {worth}; our estimate is {digits(s.information[j])} nats"


def _prior(s: Snapshot, j: int) -> str:
    """Return KL − I_G, the part of the KL that is no information."""
    distance = digits(s.kl[j] - s.information_upper[j])
    apart = f"{distance} nats are the aggregate posterior's distance from the prior (KL − I_G)"
    return f"{apart}; our estimate is {digits(s.information[j])} nats"


def _mean(s: Snapshot, j: int) -> str:
    """Return the mean's variance, the variance gap and the shares of inputs."""
    shares = f"{s.share_active[j]:.0%} of the inputs clearly use it, {s.share_passive[j]:.0%} clearly do not"
    return f"Var μ = {digits(s.variance[j])}, variance gap {s.variance_gap[j]:.2f}, {shares}"


CONTEXT = {"noise": _noise, "prior": _prior, "mean": _mean}
"""Sentences about the number that a criterion leaves out, by `Criterion.leaves_out`."""
