"""Alert rules of third parties: the protocol `Rule`, its argument `Observation`, and `alert`, which makes their alerts.

See `polar_monitor.alerts.custom_rule`.
"""

from .alerts.custom_rule import Rule as Rule
from .alerts.custom_rule import alert as alert
from .alerts.observation import Observation as Observation

__all__ = ["Observation", "Rule", "alert"]
