"""Everything that the alerts depend on, between two evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from ...errors import PolarMonitorError
from ..signals.cusum import Cusum
from ..signals.history import DimensionHistory

CLEAN = 10
"""Evaluations without trouble after which the same trouble is news again."""


@dataclass(frozen=True)
class WatchState:
    """`to_dict` and `from_dict` carry it over a restart. What is not `tracks` is about the model as a whole."""

    tracks: DimensionHistory = field(default_factory=lambda: DimensionHistory.empty(0))
    total: float = 0.0
    """Nats, of the dimensions that have been established."""
    total_fallen: float = 0.0
    total_deepest: float = 0.0
    total_forgiven: float = 0.0
    total_excused: float = 0.0
    """The total's `Decline`."""
    total_calm: int = 0
    """Evaluations in a row that did not see it fall."""
    draining: int = 0
    drained: bool = False
    healthy_step: int | None = None
    collapsed: int = 0
    alive: int = CLEAN
    """Evaluations since the collapse that was told last."""
    sharp: int = 0
    blunt: int = CLEAN
    """The same of the posterior that was a point."""
    non_finite: float = 0.0
    finite_since: int = CLEAN
    silent: bool = False

    @property
    def decline(self) -> Cusum:
        """Of the total, as arrays (1,)."""
        numbers = (self.total_fallen, self.total_deepest, self.total_forgiven, self.total_excused)
        return Cusum(*(np.array([number]) for number in numbers))

    def calmed(self) -> WatchState:
        """As if nothing had been falling: what still falls is news."""
        return replace(
            self,
            tracks=self.tracks.calmed(),
            total_excused=self.total_fallen,
            draining=0,
            drained=False,
            collapsed=0,
            alive=CLEAN,
            sharp=0,
            blunt=CLEAN,
        )

    def checked(self) -> set[int]:
        """The number of dimensions, unless there are none; PolarMonitorError where a field is of another kind."""
        for word, first in vars(WatchState()).items():
            value = getattr(self, word)
            known = isinstance(value, int | float) or (value is None and first is None)
            if word != "tracks" and not known:
                raise PolarMonitorError(f"state: expected {word} to be a number, got {type(value).__name__}")
        return {len(self.tracks.in_use)} - {0}

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a checkpoint."""
        return dict(vars(self)) | {"tracks": self.tracks.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> WatchState:
        """The inverse of `to_dict`. Raises KeyError, TypeError or ValueError for the state of another version."""
        values = {f.name: data[f.name] for f in fields(cls)}
        if more := set(data) - set(values):
            raise ValueError(f"a state of the alerts with {', '.join(map(str, more))}")
        return cls(**(values | {"tracks": DimensionHistory.from_dict(data["tracks"])}))
