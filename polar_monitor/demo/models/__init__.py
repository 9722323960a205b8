"""Small models with a latent: those of `polar-monitor demo` and of the examples.

In each, the modules are named so that `polar_monitor.attach(model)` finds the latent without arguments.
"""

from ._autoencoder import Autoencoder as Autoencoder
from ._beta_vae import BetaVae as BetaVae
from ._gaussian_vae import GaussianVae as GaussianVae
from ._gaussian_vae import divergence as divergence
from ._ivae import IVae as IVae
from ._likelihood import Gaussian as Gaussian
from ._likelihood import Likelihood as Likelihood
from ._likelihood import bernoulli as bernoulli
from ._likelihood import squared_error as squared_error
