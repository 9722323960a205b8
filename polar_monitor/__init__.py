"""See which latent dimensions of your model are active, passive or mixed while it trains.

>>> import polar_monitor
>>> monitor = polar_monitor.attach(model)  # doctest: +SKIP

Beside the names of `__all__` there are these modules, each imported when it is asked for: `alerts` (kinds of alerts,
forecasts), `context` (what `PolarMonitor.log` was given), `criteria` (published criteria), `downstream` (what passive
dimensions add to a task), `evaluation` (the record that sinks are given), `healthy` (checkpoints of healthy steps),
`offline` (parts of a classification, for latents that do not fit one machine), `plot` (pictures by matplotlib),
`replay` (a recorded run judged again), `rules` (alert rules of your own) and `sinks` (TensorBoard, JSONL, the console,
and what a sink of your own needs).
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import criteria as criteria
    from . import downstream as downstream
    from . import entropy as entropy
    from . import healthy as healthy
    from . import offline as offline
    from . import plot as plot
    from . import replay as replay
    from . import rules as rules
    from . import sinks as sinks
    from .alerts.alert import Alert as Alert
    from .alerts.alert_rules import AlertRules as AlertRules
    from .capture.search.given_batch import find as find
    from .errors import CollapseError as CollapseError
    from .errors import PolarMonitorError as PolarMonitorError
    from .errors import PolarMonitorWarning as PolarMonitorWarning
    from .intervention.ablate import ablate as ablate
    from .intervention.gain import decoder_gain as decoder_gain
    from .monitor.attach import attach as attach
    from .monitor.monitor import PolarMonitor as PolarMonitor
    from .offline.classify import classify as classify
    from .regime.label import Label as Label
    from .views.history import read as read

__version__ = "0.1.0"
__all__ = [  # noqa: RUF022
    "attach",
    "classify",
    "decoder_gain",
    "find",
    "ablate",
    "read",
    "entropy",
    "PolarMonitor",
    "AlertRules",
    "Alert",
    "Label",
    "PolarMonitorError",
    "PolarMonitorWarning",
    "CollapseError",
]
PLACES = {
    "attach": "monitor.attach",
    "classify": "offline.classify",
    "decoder_gain": "intervention.gain",
    "find": "capture.search.given_batch",
    "ablate": "intervention.ablate",
    "read": "views.history",
    "PolarMonitor": "monitor.monitor",
    "AlertRules": "alerts.alert_rules",
    "Alert": "alerts.alert",
    "Label": "regime.label",
    "PolarMonitorError": "errors",
    "PolarMonitorWarning": "errors",
    "CollapseError": "errors",
}
"""Module of each public name."""
MODULES = (
    "alerts",
    "context",
    "criteria",
    "downstream",
    "entropy",
    "evaluation",
    "healthy",
    "offline",
    "plot",
    "replay",
    "rules",
    "sinks",
)


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """Import a public name or module when it is asked for: TensorBoard finds the tab without loading torch."""
    if name in MODULES:
        return importlib.import_module(f".{name}", __name__)
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{PLACES[name]}", __name__), name)
    globals()[name] = value
    return value
