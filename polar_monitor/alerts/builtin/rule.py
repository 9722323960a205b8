"""The protocol of a built-in alert: that of a third party's `Rule`, with a name and an optional method.

A state is a plain dict of numbers (and None). `update` returns a new one and changes nothing in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from ..alert import Alert
from ..observation import Observation

MIN_CLEAN_EVALUATIONS = 10
"""Evaluations without trouble after which the same trouble is news again."""


class BuiltinRule(Protocol):
    """A built-in alert.

    `observation.signals` is None in an evaluation without new rows: a rule that reads signals then returns its state
    as it is. Its alerts are also raised in the warm-up, unless it is `SilentInWarmup`.
    """

    @property
    def name(self) -> str:
        """Key of its state in checkpoints and logs."""

    def start(self) -> Any:
        """Return the state before the first evaluation."""

    def update(self, state: Any, observation: Observation) -> tuple[Any, Sequence[Alert]]:
        """Return the state after one evaluation, and the alerts that it raises."""


@runtime_checkable
class SilentInWarmup(Protocol):
    """A built-in alert that waits until the warm-up is over."""

    def reset_in_warmup(self, state: Any) -> Any:
        """Return the state as if nothing were wrong yet, so that trouble which lasts is news after the warm-up."""
