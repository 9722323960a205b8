"""A decoder with bounded slope."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


def spectrally_normalised(decoder: nn.Sequential) -> nn.Sequential:
    """Divide the weights of all linear layers by their largest singular value (Miyato et al. 2018), in place.

    With activations of slope at most 1 the decoder is then 1-Lipschitz: no scale of the code can be undone.
    """
    for layer in decoder:
        if isinstance(layer, nn.Linear):
            spectral_norm(layer)
    return decoder
