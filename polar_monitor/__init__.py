"""See which latent dimensions of your model are active, passive or mixed while it trains.

>>> import polar_monitor
>>> monitor = polar_monitor.attach(model)  # doctest: +SKIP
"""

from .alerts import Alert as Alert
from .alerts import AlertRules as AlertRules
from .attach import attach as attach
from .errors import CollapseError as CollapseError
from .errors import PolarMonitorError as PolarMonitorError
from .errors import PolarMonitorWarning as PolarMonitorWarning
from .label import Label as Label
from .monitor import PolarMonitor as PolarMonitor
from .offline import classify as classify

__version__ = "0.1.0"
