"""Monitor of the model that a framework trains: what all callbacks and handlers share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from ..monitor.attach import attach, check_names
from ..monitor.monitor import PolarMonitor


class Adapter:
    """Attaches a monitor when a training starts, and detaches it when the training ends.

    `arguments` are those of `polar_monitor.attach`. Raises at once what it raises for one that cannot be used.
    """

    def __init__(self, **arguments: Any) -> None:
        check_names(arguments, type(self).__name__)
        PolarMonitor(**arguments)  # so that a wrong argument fails here, and not in the training
        self.arguments = arguments
        self.monitor: PolarMonitor | None = None
        """Monitor of the present or the latest training; None before the first."""
        self._state: Mapping[str, Any] = {}
        """State that was loaded before the training started."""

    def start(self, model: nn.Module, **changes: Any) -> None:
        """Attach to the model, with some arguments changed."""
        self.end()
        self.monitor = attach(model, **(self.arguments | changes))
        state, self._state = self._state, {}
        try:
            if state:
                self.monitor.load_state_dict(state)
        except BaseException:
            self.end()
            raise

    def stops(self, ranks: int, agree: Callable[[bool], bool]) -> bool:
        """Return True if the training is to stop: the same on all ranks, which call it after each step.

        With several `ranks` it merges them where that is due; after a merge `agree`, the framework's own collective,
        makes one decision of theirs.
        """
        if self.monitor is None:
            return False
        if ranks == 1:
            return self.monitor.should_stop
        return self.monitor._merge(due=True) and agree(self.monitor.should_stop)

    def finish(self, ranks: int) -> None:
        """End after a training that has come to its end on all ranks, which merge their last rows."""
        if self.monitor is not None and ranks > 1:
            self.monitor._merge(due=False)
        self.end()

    def end(self) -> None:
        """Evaluate the last rows and take the hooks off; results stay readable. A second call does nothing."""
        if self.monitor is not None:
            self.monitor.detach()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the monitor; empty before the first training."""
        return dict(self._state) if self.monitor is None else self.monitor.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a `state_dict`, now or at the start. Raises PolarMonitorError then if it does not fit."""
        if self.monitor is not None and self.monitor.attached and state_dict:
            self.monitor.load_state_dict(state_dict)
        else:
            self._state = state_dict
