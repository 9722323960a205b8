"""Follows by their labels which dimensions are in use, and which leave or come back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ...regime.label_codes import MAX_CACHED, where_informative, where_passive
from ...regime.regime import Regime
from ...statistics.snapshot import Snapshot
from ...statistics.thresholds import PASSIVE, Z
from ..alert_rules import AlertRules
from .history import DimensionHistory, Flags

SILENCE, LOST, REVIVED, COMES_AND_GOES = range(4)
"""Places in the story of one dimension: the last alert. A story ends when the dimension has been stable."""


@dataclass(frozen=True, eq=False)
class Usage:
    """The dimensions that stay or come into use at this evaluation, and those about which there is an alert (D,)."""

    going: Flags
    revived: Flags | None = None
    lost: Flags | None = None
    """None where there is none."""


class _ByLabel(NamedTuple):
    """The dimensions by their settled labels and their latest ones (D,); nobody writes into these arrays."""

    passive: Flags
    passive_now: Flags
    informative: Flags
    """Informative, and not passive now."""
    usage: Usage
    """The usage if exactly the informative ones were in use before."""
    used: bytes
    """The informative ones, to compare."""


@lru_cache(MAX_CACHED)
def _by_label(labels: bytes, latest: bytes) -> _ByLabel:
    passive_now = where_passive(latest)
    informative = where_informative(labels) & ~passive_now
    return _ByLabel(where_passive(labels), passive_now, informative, Usage(informative), informative.tobytes())


def usage_of(history: DimensionHistory, s: Snapshot, regime: Regime, rules: AlertRules) -> Usage:
    """Return the dimensions in use after an evaluation. `history` is the one before it."""
    by_label, used = _by_label(regime.codes.labels, regime.codes.latest), history.used
    if (
        used is by_label.informative or used.tobytes() == by_label.used
    ):  # nothing comes, and what is passive was not in use: nothing goes
        return by_label.usage
    gone = used & by_label.passive
    doubtful = used & by_label.passive_now
    was_established = history.above_worth >= rules.established_steps
    if doubtful.any():
        gone |= doubtful & is_surely_passive(s) & was_established
    revived, lost = by_label.informative & ~used & history.was_used, gone & was_established
    going = (by_label.informative | used) & ~gone
    return Usage(going, revived if revived.any() else None, lost if lost.any() else None)


def is_surely_passive(s: Snapshot) -> Flags:
    """Return where this evaluation alone leaves no doubt: by the upper bound of the information, or its certificate."""
    return np.asarray(
        np.fmin(s.information + Z * s.information_se, s.information_upper + Z * s.information_upper_se) <= PASSIVE
    )
