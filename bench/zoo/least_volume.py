"""The Least Volume autoencoder: the volume of the code is penalised, and the decoder cannot undo its shrinking."""

from __future__ import annotations

import torch
from torch import Tensor

from polar_monitor.demo.models import Autoencoder, Likelihood, squared_error

from .spectral import spectrally_normalised


def volume(code: Tensor, eta: float = 1.0) -> Tensor:
    """exp(mean over dimensions of log(std + η)) of codes (n, D), std with ddof 1: a scalar, in the unit of the code.

    >>> float(volume(torch.ones(3, 2)))
    1.0
    """
    return torch.exp(torch.log(code.std(0) + eta).mean())


class LeastVolume(Autoencoder):
    """An autoencoder with a spectrally normalised decoder and the penalty `volume` (Chen & Fuge, ICLR 2024).

    The decoder is 1-Lipschitz: replacing the dimensions P by their means raises the root of the squared error by at
    most the root of Σ_P Var z. η = 1 is what the authors take for images.
    """

    def __init__(
        self,
        inputs: int,
        latents: int = 10,
        hidden: int = 256,
        eta: float = 1.0,
        likelihood: Likelihood = squared_error,
    ) -> None:
        super().__init__(inputs, latents, hidden, likelihood=likelihood)
        self.eta = eta
        self.decoder = spectrally_normalised(self.decoder)

    def penalty(self, code: Tensor) -> Tensor:
        """The volume of a batch of codes (n, D), a scalar."""
        return volume(code, self.eta)
