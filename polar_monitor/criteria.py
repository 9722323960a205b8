"""The published criteria: what others would say of the same snapshot. See `polar_monitor.regime.published`."""

from .regime.published import CRITERIA as CRITERIA
from .regime.published import SHARP as SHARP
from .regime.published import active_units as active_units
from .regime.published import bonheme as bonheme
from .regime.published import clapham_code as clapham_code
from .regime.published import delta_kl as delta_kl
from .regime.published import drvi as drvi
from .regime.published import factor_vae as factor_vae
from .regime.published import kl as kl
from .regime.published import kl_udr as kl_udr
from .regime.published import labels_by as labels_by
from .regime.published import lucas as lucas
from .regime.published import mean_entropy as mean_entropy
from .regime.published import minmax_entropy as minmax_entropy
from .regime.published import rolinek as rolinek
from .regime.published import rolinek_sd as rolinek_sd
