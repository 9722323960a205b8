"""Small model families of the polarised regime, with one protocol: see `LatentModel`.

In each, the modules are named so that `polar_monitor.attach(model)` finds the latent without arguments.
"""

from ._autoencoder import Autoencoder as Autoencoder
from ._beta_vae import BetaVae as BetaVae
from ._conv_vae import ConvVae as ConvVae
from ._gaussian_vae import GaussianVae as GaussianVae
from ._gaussian_vae import divergence as divergence
from ._ivae import IVae as IVae
from ._least_volume import LeastVolume as LeastVolume
from ._least_volume import volume as volume
from ._likelihood import Gaussian as Gaussian
from ._likelihood import bernoulli as bernoulli
from ._likelihood import squared_error as squared_error
from ._linear_vae import LinearOptimum as LinearOptimum
from ._linear_vae import LinearVae as LinearVae
from ._linear_vae import linear_optimum as linear_optimum
from ._protocol import LatentModel as LatentModel
from ._regularised import RaeL2 as RaeL2
from ._regularised import RaeSn as RaeSn
