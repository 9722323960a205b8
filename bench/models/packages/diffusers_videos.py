"""Video autoencoders of diffusers, as small as their options allow."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from ..data import images
from .diffusers_models import kl_autoencoder


def videos(seed: int, frames: int = 5, size: int = 16, n: int = 16) -> Iterator[Tensor]:
    """Yield (n, 3, frames, size, size) of blobs that move."""
    for still in images(seed, size, n, 3):
        yield torch.stack([still.roll(shift, -1) for shift in range(frames)], 2)


FOUR = (8, 8, 8, 8)
WAN = {"base_dim": 8, "z_dim": 4, "dim_mult": [1, 1, 1], "num_res_blocks": 1, "temperal_downsample": [False, True]}
STRUCTURES = (
    kl_autoencoder("AutoencoderKLWan", partial(videos, size=8), **WAN),
    kl_autoencoder("AutoencoderKLQwenImage", partial(videos, size=8), **WAN),
    kl_autoencoder(
        "AutoencoderKLCogVideoX",
        partial(videos, frames=4),
        block_out_channels=FOUR,
        layers_per_block=1,
        norm_num_groups=2,
        latent_channels=4,
    ),
    kl_autoencoder(
        "AutoencoderKLHunyuanVideo",
        partial(videos, size=8),
        block_out_channels=FOUR,
        layers_per_block=1,
        norm_num_groups=4,
        latent_channels=4,
    ),
    kl_autoencoder(
        "AutoencoderKLLTXVideo",
        partial(videos, frames=9, size=32),
        latent_channels=8,
        block_out_channels=FOUR,
        decoder_block_out_channels=FOUR,
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
    ),
    kl_autoencoder(
        "AutoencoderKLMagvit",
        partial(videos, size=8),
        block_out_channels=list(FOUR),
        layers_per_block=1,
        norm_num_groups=4,
        latent_channels=4,
    ),
)
