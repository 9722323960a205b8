"""From the history of a latent to its alerts: what an alert is, when one is raised, what its causes may be."""

from .alert import Alert as Alert
from .alert import AlertKind as AlertKind
from .alert import Forecast as Forecast
from .alert_rules import AlertRules as AlertRules
