"""Regularised autoencoders: the code is pulled to the origin and the decoder kept from undoing that (Ghosh 2020).

The penalty of the code does not change when the code is rotated: nothing favours passive dimensions that lie along the
axes, so a code of low rank may be spread over all of them.
"""

from __future__ import annotations

from torch import Tensor

from polar_monitor.demo.models import Autoencoder, Likelihood, squared_error

from .spectral import spectrally_normalised


class RaeL2(Autoencoder):
    """RAE-L2 (Ghosh et al. 2020): the decoder's weights decay."""

    def __init__(
        self,
        inputs: int,
        latents: int = 10,
        hidden: int = 256,
        decoder_decay: float = 1e-3,
        likelihood: Likelihood = squared_error,
    ) -> None:
        super().__init__(inputs, latents, hidden, likelihood=likelihood)
        self.decoder_decay = decoder_decay

    def loss(self, x: Tensor, weight: float | None = None, u: Tensor | None = None) -> Tensor:
        """As any autoencoder's, plus `decoder_decay` times the sum of the decoder's squared weights."""
        decay = sum(weights.square().sum() for weights in self.decoder.parameters() if weights.dim() > 1)
        return super().loss(x, weight, u) + self.decoder_decay * decay


class RaeSn(Autoencoder):
    """RAE-SN (Ghosh et al. 2020): the decoder is spectrally normalised."""

    def __init__(
        self, inputs: int, latents: int = 10, hidden: int = 256, likelihood: Likelihood = squared_error
    ) -> None:
        super().__init__(inputs, latents, hidden, likelihood=likelihood)
        self.decoder = spectrally_normalised(self.decoder)
