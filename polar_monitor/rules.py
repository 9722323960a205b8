"""Alert rules of third parties: the protocol `Rule`, and `alert`, which makes their alerts.

See `polar_monitor.alerts.custom_rule`.
"""

from .alerts.custom_rule import Rule as Rule
from .alerts.custom_rule import alert as alert
