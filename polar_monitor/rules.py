"""Alert rules of third parties: what one is, and how it raises an alert. See `polar_monitor.alerts.custom_rule`."""

from .alerts.custom_rule import Rule as Rule
from .alerts.custom_rule import alert as alert
