"""Autoencoders of diffusers with a KL term, and two without, as small as their options allow."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import diffusers
from diffusers.models import autoencoders
from torch import Tensor

from ..blocks import seeded, squared
from ..data import images
from ..structure import Posterior, Structure

pictures = partial(images, size=8, n=32, channels=3)


def audio(seed: int) -> Iterator[Tensor]:
    """Yield (n, 2, 64) of noisy waves."""
    for picture in images(seed, 8, 16, 2):
        yield picture.flatten(2)


def tensor(output: Any) -> Tensor:
    """Return the tensor of what `decode` gives: an output object, or the tensor itself."""
    output = getattr(output, "sample", output)
    return output[0] if isinstance(output, tuple) else output


def loss(model: Any, x: Tensor) -> Tensor:
    """Return the loss of a sample, where output and input go as far as both do: causal decoders give other lengths."""
    posterior = model.encode(x).latent_dist
    output = tensor(model.decode(posterior.sample()))
    ends = tuple(slice(min(sizes)) for sizes in zip(output.shape, x.shape, strict=True))
    output, x = output[ends], x[ends]
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


def truth(model: Any, x: Tensor) -> Posterior:
    """Return the posterior that `encode` gives, each place of a map for itself."""
    posterior = model.encode(x).latent_dist
    mean, std = (side.flatten(2).transpose(1, 2) for side in (posterior.mean, posterior.std))
    return Posterior(mean, std**2)


def code_loss(model: Any, x: Tensor) -> Tensor:
    """Return the loss of an autoencoder without a variance."""
    return squared(tensor(model(x)), x)


def code_of(key: str) -> Callable[[Any, Tensor], Posterior]:
    return lambda model, x: Posterior(getattr(model.encode(x), key).flatten(2).transpose(1, 2), None)


def kl_autoencoder(
    name: str,
    batches: Callable[[int], Iterator[Tensor]],
    own_loss: Any = loss,
    own_truth: Any = truth,
    prepare: Callable[[Any], Any] = lambda model: model,
    **config: Any,
) -> Structure:
    """Return an autoencoder that gives its posterior as `latent_dist`; `prepare` takes the new model."""
    make = seeded(lambda: prepare(class_of(name)(**config)))
    return Structure(name, "diffusers", "encode(x).latent_dist", make, batches, own_truth, own_loss, heavy=True)


def class_of(name: str) -> Any:
    """Return a class of the package by its name; a few are in modules of their own only."""
    if hasattr(diffusers, name):
        return getattr(diffusers, name)
    for module in pkgutil.iter_modules(autoencoders.__path__, f"{autoencoders.__name__}."):
        if hasattr(found := importlib.import_module(module.name), name):
            return getattr(found, name)
    raise AttributeError(f"diffusers has no {name}")


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
        code_of("latents"),
        code_loss,
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
        code_of("latent"),
        code_loss,
        heavy=True,
    ),
)
