"""Published criteria: each labels the dimensions of a `Snapshot`. The table is in `polar_monitor.regime.published`."""

from .regime.published import CRITERIA as CRITERIA
from .regime.published import MAX_DELTA_KL as MAX_DELTA_KL
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

__all__ = [
    "CRITERIA",
    "MAX_DELTA_KL",
    "SHARP",
    "active_units",
    "bonheme",
    "clapham_code",
    "delta_kl",
    "drvi",
    "factor_vae",
    "kl",
    "kl_udr",
    "labels_by",
    "lucas",
    "mean_entropy",
    "minmax_entropy",
    "rolinek",
    "rolinek_sd",
]

SHARP = MAX_DELTA_KL
"""`delta_kl` below this is a polarised regime."""
