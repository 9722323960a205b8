"""Model families and data sets of the studies, beside those of the demo; all families follow `LatentModel`.

In each, the modules are named so that `polar_monitor.attach(model)` finds the latent without arguments. Nothing is
downloaded: data are drawn from a seed, or shipped with scikit-learn.
"""

from .column_decay import ColumnDecay as ColumnDecay
from .conv_vae import ConvVae as ConvVae
from .least_volume import LeastVolume as LeastVolume
from .least_volume import volume as volume
from .linear_gaussian import linear_gaussian as linear_gaussian
from .linear_vae import LinearOptimum as LinearOptimum
from .linear_vae import LinearVae as LinearVae
from .linear_vae import linear_optimum as linear_optimum
from .patches import patches as patches
from .protocol import LatentModel as LatentModel
from .regularised import RaeL2 as RaeL2
from .regularised import RaeSn as RaeSn
from .training import train as train
