"""Autoencoders of diffusers with a KL term, and two without, as small as their options allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import diffusers
from torch import Tensor

from ..blocks import seeded, squared
from ..data import images
from ..structure import Posterior, Structure

pictures = partial(images, size=8, n=32, channels=3)


def audio(seed: int) -> Iterator[Tensor]:
    """Yield (n, 2, 64) of noisy waves."""
    for picture in images(seed, 8, 16, 2):
        yield picture.flatten(2)


def _loss(model: Any, x: Tensor) -> Tensor:
    posterior = model.encode(x).latent_dist
    output = model.decode(posterior.sample()).sample
    return (
        squared(output, x) + 0.1 * (-posterior.logvar + posterior.mean**2 + posterior.logvar.exp()).sum() / len(x) / 2
    )


def _frames_loss(model: Any, x: Tensor) -> Tensor:
    posterior = model.encode(x).latent_dist
    output = model.decode(posterior.sample(), num_frames=4).sample
    return squared(output, x) + 0.1 * posterior.kl().sum() / len(x)


def _oobleck_loss(model: Any, x: Tensor) -> Tensor:
    posterior = model.encode(x).latent_dist
    return squared(model.decode(posterior.sample()).sample, x) + 0.1 * posterior.kl()


def _truth(model: Any, x: Tensor) -> Posterior:
    posterior = model.encode(x).latent_dist
    mean, std = (side.flatten(2).transpose(1, 2) for side in (posterior.mean, posterior.std))
    return Posterior(mean, std**2)


def _code_loss(model: Any, x: Tensor) -> Tensor:
    return squared(model(x).sample, x)


def _code(key: str) -> Callable[[Any, Tensor], Posterior]:
    return lambda model, x: Posterior(getattr(model.encode(x), key).flatten(2).transpose(1, 2), None)


def kl_autoencoder(
    name: str, batches: Callable[[int], Iterator[Tensor]], loss: Any = _loss, **config: Any
) -> Structure:
    """Return an autoencoder that gives its posterior as `latent_dist`."""
    make = seeded(lambda: getattr(diffusers, name)(**config))
    return Structure(name, "diffusers", "encode(x).latent_dist", make, batches, _truth, loss, heavy=True)


TWO = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
SMALL = {"layers_per_block": 1, "norm_num_groups": 4, "latent_channels": 4}
STRUCTURES = (
    kl_autoencoder("AutoencoderKL", pictures, block_out_channels=(8, 16), **TWO, **SMALL),
    kl_autoencoder(
        "AsymmetricAutoencoderKL",
        pictures,
        down_block_types=TWO["down_block_types"],
        up_block_types=TWO["up_block_types"],
        down_block_out_channels=(8, 16),
        up_block_out_channels=(8, 16),
        norm_num_groups=4,
    ),
    kl_autoencoder(
        "AutoencoderKLTemporalDecoder",
        pictures,
        _frames_loss,
        block_out_channels=(32, 32),
        latent_channels=4,
        down_block_types=TWO["down_block_types"],
        layers_per_block=1,
    ),
    kl_autoencoder("AutoencoderKLFlux2", pictures, block_out_channels=(8, 16), **TWO, **SMALL),
    kl_autoencoder(
        "AutoencoderOobleck",
        audio,
        _oobleck_loss,
        encoder_hidden_size=12,
        decoder_channels=12,
        decoder_input_channels=6,
        audio_channels=2,
        downsampling_ratios=[2, 4],
        channel_multiples=[1, 2],
    ),
    Structure(
        "AutoencoderTiny",
        "diffusers",
        "encode(x).latents",
        seeded(
            lambda: diffusers.AutoencoderTiny(
                encoder_block_out_channels=(8, 8),
                decoder_block_out_channels=(8, 8),
                num_encoder_blocks=(1, 1),
                num_decoder_blocks=(1, 1),
            )
        ),
        pictures,
        _code("latents"),
        _code_loss,
        heavy=True,
    ),
    Structure(
        "AutoencoderDC",
        "diffusers",
        "encode(x).latent",
        seeded(
            lambda: diffusers.AutoencoderDC(
                latent_channels=4,
                attention_head_dim=4,
                encoder_block_out_channels=(8, 16),
                decoder_block_out_channels=(8, 16),
                encoder_layers_per_block=(1, 1),
                decoder_layers_per_block=(1, 1),
                encoder_qkv_multiscales=((), ()),
                decoder_qkv_multiscales=((), ()),
            )
        ),
        pictures,
        _code("latent"),
        _code_loss,
        heavy=True,
    ),
)
