"""What can be raised to, or shown to, the user."""

import warnings


class PolarMonitorError(ValueError):
    """An argument that cannot be used: says what was expected, what was found and what to write instead."""


class PolarMonitorWarning(UserWarning):
    """Something the user should know that does not stop the training."""


class CollapseError(RuntimeError):
    """Raised by `PolarMonitor.raise_on_collapse`, only when asked for: no informative dimension is left."""


def warn(said: str) -> None:
    """Warn from inside training; a user's filter that makes errors of warnings must not end the training."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", PolarMonitorWarning)
        warnings.warn(f"polar_monitor: {said}", PolarMonitorWarning, stacklevel=2)
