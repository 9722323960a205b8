"""Errors and warnings that reach the user, and the one place for "warn once"."""

from __future__ import annotations

import warnings
from collections.abc import Hashable


class PolarMonitorError(ValueError):
    """An argument or a state that cannot be used: the message says what was expected, what was found, what to write."""


class UndecidedError(PolarMonitorError):
    """The names of a model's modules leave a choice, or say nothing; the data of its forwards may decide."""


class PolarMonitorWarning(UserWarning):
    """Something the user should know that does not stop the training."""


class CollapseError(RuntimeError):
    """No informative dimension is left. Only `PolarMonitor.raise_on_collapse` raises it."""


def warn(message: str) -> None:
    """Warn from inside training. A user's filter that turns warnings into errors must not end the training."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", PolarMonitorWarning)
        warnings.warn(f"polar_monitor: {message}", PolarMonitorWarning, stacklevel=2)


class WarnOnce:
    """Set of the causes that were reported. `once(key)` is True the first time that it sees a key.

    `limit` bounds the number of keys: it returns False for every new key after that, so that a message with a changing
    number in it cannot fill the log.

    Example:
        >>> once = WarnOnce()
        >>> once("silence"), once("silence"), "silence" in once
        (True, False, True)
    """

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._seen: set[Hashable] = set()

    def __call__(self, key: Hashable) -> bool:
        """Return True if the key is new, and remember it."""
        if key in self._seen or (self._limit is not None and len(self._seen) >= self._limit):
            return False
        self._seen.add(key)
        return True

    def __contains__(self, key: object) -> bool:
        return key in self._seen

    def clear(self) -> None:
        """Forget all keys: each may be reported once more."""
        self._seen.clear()
