"""Video autoencoders of diffusers, as small as their options allow."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..data import images
from ..structure import Posterior
from .diffusers_models import kl_autoencoder, loss, truth


def videos(seed: int, frames: int = 5, size: int = 16, n: int = 16) -> Iterator[Tensor]:
    """Yield (n, 3, frames, size, size) of blobs that move."""
    for still in images(seed, size, n, 3):
        yield torch.stack([still.roll(shift, -1) for shift in range(frames)], 2)


def _one_by_one(model: Any, x: Tensor) -> Tensor:
    """Return the loss of videos that the model takes one at a time, as its attention or its tiles want."""
    return torch.stack([loss(model, one) for one in x.split(1)]).mean()


def _truths(model: Any, x: Tensor) -> Posterior:
    posteriors = [truth(model, one) for one in x.split(1)]
    return Posterior(torch.cat([one.mean for one in posteriors]), torch.cat([one.variance for one in posteriors]))


def _code_loss(model: Any, x: Tensor) -> Tensor:
    output = model.decode(model.encode(x).latent_dist.mode()).sample
    return ((output - x) ** 2).sum() / len(x)


def _code(model: Any, x: Tensor) -> Posterior:
    return Posterior(model.encode(x).latent_dist.mode().flatten(2).transpose(1, 2), None)


def _in_one_tile(model: Any) -> Any:
    """Let a model that encodes in tiles only take one tile of the size of the video."""
    model.enable_tiling()
    model.kernel = model.stride = (8, 16, 16)
    model.tile_overlap_t = model.tile_overlap_h = model.tile_overlap_w = 0
    return model


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
    kl_autoencoder(
        "AutoencoderKLAllegro",
        partial(videos, frames=8, n=8),
        _one_by_one,
        _truths,
        _in_one_tile,
        block_out_channels=FOUR,
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=2,
    ),
    kl_autoencoder(
        "AutoencoderKLCosmos",
        partial(videos, frames=9),
        _code_loss,
        _code,
        latent_channels=4,
        encoder_block_out_channels=FOUR,
        decode_block_out_channels=FOUR,
        attention_resolutions=(8,),
        resolution=64,
        num_layers=1,
        spatial_compression_ratio=4,
        temporal_compression_ratio=4,
        latents_mean=None,
        latents_std=None,
    ),
    kl_autoencoder(
        "AutoencoderKLHunyuanImageRefiner",
        partial(videos, size=8),
        latent_channels=4,
        block_out_channels=(32,) * 3,
        layers_per_block=1,
        spatial_compression_ratio=4,
        temporal_compression_ratio=2,
    ),
    kl_autoencoder(
        "AutoencoderKLHunyuanVideo15",
        partial(videos, size=8, n=8),
        _one_by_one,
        _truths,
        latent_channels=4,
        block_out_channels=(32,) * 3,
        layers_per_block=1,
        spatial_compression_ratio=4,
        temporal_compression_ratio=2,
    ),
    kl_autoencoder(
        "AutoencoderKLKVAEVideo",
        partial(videos, frames=3, size=8),
        ch=32,
        ch_mult=(1, 2),
        num_res_blocks=1,
        z_channels=4,
        temporal_compress_times=2,
    ),
    kl_autoencoder(
        "AutoencoderKLLTX2Video",
        partial(videos, frames=9, size=32),
        latent_channels=8,
        block_out_channels=(8, 16, 32, 64),
        decoder_block_out_channels=(8, 16, 32),
        layers_per_block=(1,) * 5,
        decoder_layers_per_block=(1,) * 4,
        decoder_spatial_padding_mode="zeros",
    ),
    kl_autoencoder(
        "AutoencoderKLMiniMaxH3",
        partial(videos, size=8),
        latent_channels=4,
        block_out_channels=(8, 8, 8),
        layers_per_block=1,
        spatial_downsample_factors=(2, 2, 1),
        temporal_downsample_factors=(1, 2, 1),
        norm_num_groups=2,
        decoder_num_layers=1,
        decoder_num_attention_heads=2,
        decoder_attention_head_dim=16,
        decoder_ffn_mult=2,
        clip_length=5,
        token_drop=0,
        latents_mean=(0.0,) * 4,
        latents_std=(1.0,) * 4,
    ),
    kl_autoencoder(
        "AutoencoderKLMochi",
        partial(videos, frames=7),
        encoder_block_out_channels=(32,) * 4,
        decoder_block_out_channels=(32,) * 4,
        latent_channels=4,
        layers_per_block=(1,) * 5,
        latents_mean=(0.0,) * 4,
        latents_std=(1.0,) * 4,
    ),
    kl_autoencoder(
        "AutoencoderKLQwenImage21",
        partial(videos, frames=1, size=8, n=32),
        base_dim=8,
        decoder_base_dim=8,
        z_dim=4,
        dim_mult=[1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True],
        in_channels=3,
        out_channels=3,
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    ),
    kl_autoencoder(
        "AutoencoderVidTok",
        partial(videos, size=8),
        ch=32,
        ch_mult=[1, 1, 1, 1],
        z_channels=4,
        num_res_blocks=1,
        tempo_ds=[1],
        tempo_us=[2],
        spatial_ds=[1, 2],
        spatial_us=[1, 2],
    ),
    kl_autoencoder(
        "Kandinsky6SRVAE",
        partial(videos, size=16),
        latent_channels=4,
        encoder_block_out_channels=(8, 8, 8),
        decoder_block_out_channels=(8, 8, 8),
        layers_per_block=1,
        temporal_compression_ratio=2,
    ),
)
