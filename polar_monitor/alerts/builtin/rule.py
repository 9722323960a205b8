"""The protocol of a built-in alert: that of a third party's `Rule`, with a name and two optional members.

A state is a plain dict of numbers (and None). `update` returns a new one and changes nothing in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ..alert import Alert
from ..observation import Observation

CLEAN = 1e9
"""Steps without trouble before the first one."""


class BuiltinRule(Protocol):
    """A built-in alert.

    `observation.signals` is None in an evaluation without new rows: a rule that reads signals then returns its state
    as it is.

    In the warm-up a built-in alert is not raised, and its state returns to `start()`. Two optional members change that:

    * `raises_in_warmup = True`: the alert is raised in the warm-up as at any other time.
    * `reset_in_warmup(state)`: returns the state to go on from in place of `start()`. It keeps what the rule has
      learned, as if nothing were wrong yet, so that trouble which lasts is reported after the warm-up.
    """

    @property
    def name(self) -> str:
        """Key of its state in checkpoints and logs."""

    def start(self) -> Any:
        """Return the state before the first evaluation."""

    def update(self, state: Any, observation: Observation) -> tuple[Any, Sequence[Alert]]:
        """Return the state after one evaluation, and the alerts that it raises."""


def state_in_warmup(rule: BuiltinRule, state: Any, observation: Observation) -> Any:
    """Return the state after an evaluation in the warm-up, for a rule that does not raise in it."""
    reset = getattr(rule, "reset_in_warmup", None)
    if reset is None:
        return rule.start()
    return state if observation.signals is None else reset(state)


def raises_in_warmup(rule: BuiltinRule) -> bool:
    """Return True if the alerts of a rule are raised in the warm-up too."""
    return bool(getattr(rule, "raises_in_warmup", False))
