"""See which latent dimensions of your model are active, passive or mixed while it trains.

>>> import polar_monitor
>>> monitor = polar_monitor.attach(model)  # doctest: +SKIP
"""

import importlib
from typing import TYPE_CHECKING, Any

from .alerts.alert import Alert as Alert
from .alerts.alert_rules import AlertRules as AlertRules
from .attach import attach as attach
from .errors import CollapseError as CollapseError
from .errors import PolarMonitorError as PolarMonitorError
from .errors import PolarMonitorWarning as PolarMonitorWarning
from .monitor import PolarMonitor as PolarMonitor
from .offline.classify import classify as classify
from .regime.label import Label as Label

if TYPE_CHECKING:
    from . import downstream as downstream
    from . import entropy as entropy
    from .replay import replay as replay

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`polar_monitor.entropy`, `.downstream`, `.replay` when asked for: the one compiles kernels, few need the rest."""
    if name in ("downstream", "entropy", "replay"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
