"""From the history of a latent to its alerts: the records, the thresholds, the built-in alerts, rules of third parties.

To add a built-in alert: write its rule in a new file of `builtin/`, add one line to the list in `builtin/__init__.py`,
give it a kind in `alert.py`, and causes and advice in `advice.py`.
"""

from .alert import Alert as Alert
from .alert import AlertKind as AlertKind
from .alert import Forecast as Forecast
from .alert_rules import AlertRules as AlertRules

__all__ = ["Alert", "AlertKind", "AlertRules", "Forecast"]
