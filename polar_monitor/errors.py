"""What can be raised to, or shown to, the user."""


class PolarMonitorError(ValueError):
    """An argument that cannot be used: says what was expected, what was found and what to write instead."""


class PolarMonitorWarning(UserWarning):
    """Something the user should know that does not stop the training."""


class CollapseError(RuntimeError):
    """Raised by `PolarMonitor.raise_on_collapse`, only when asked for: no informative dimension is left."""
