"""Further autoencoders of diffusers for pictures and sound, as small as their options allow."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from torch import Tensor
from torch.nn.functional import softplus

from ..blocks import kl_std, seeded, squared
from ..data import images
from ..structure import Posterior, Structure
from .diffusers_models import audio, class_of, code_loss, code_of, kl_autoencoder, pictures

ONE = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}


def mono(seed: int, length: int = 128) -> Iterator[Tensor]:
    """Yield (n, 1, length) of noisy waves."""
    for wave in audio(seed):
        yield wave.flatten(1)[:, None, :length]


def spectra(seed: int) -> Iterator[Tensor]:
    """Yield (n, 2, 9, 16) of blobs."""
    for picture in images(seed, 16, 16, 2):
        yield picture[:, :, :9]


def _places(mean: Tensor, std: Tensor) -> Posterior:
    return Posterior(mean.transpose(1, 2), std.transpose(1, 2) ** 2)


def _mel_loss(model: Any, x: Tensor) -> Tensor:
    """Return the loss of a decoder that gives a spectrum of what the encoder takes as a wave."""
    posterior = model.encode(x[:, 0]).latent_dist
    return model.decode(posterior.sample()).sample.square().sum() / len(x) + 0.1 * kl_std(posterior.mean, posterior.std)


def _mel_truth(model: Any, x: Tensor) -> Posterior:
    posterior = model.encode(x[:, 0]).latent_dist
    return _places(posterior.mean, posterior.std)


def _std_loss(model: Any, x: Tensor) -> Tensor:
    posterior = model.encode(x).latent_dist
    output = model.decode(posterior.sample())
    return squared(getattr(output, "sample", output), x) + 0.1 * kl_std(posterior.mean, posterior.std)


def _std_truth(model: Any, x: Tensor) -> Posterior:
    posterior = model.encode(x).latent_dist
    return _places(posterior.mean, posterior.std)


def _drawn(model: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    mean, scale = model.encoder(x).chunk(2, 1)
    return mean, softplus(scale) + 1e-4


def _drawn_loss(model: Any, x: Tensor) -> Tensor:
    """Return the loss of a model whose `encode` gives the sample alone; the KL has a forward of its own."""
    return squared(model.decode(model.encode(x).latents).sample, x) + 0.1 * kl_std(*_drawn(model, x))


def _code(name: str, batches: Any, key: str, **config: Any) -> Structure:
    make = seeded(lambda: class_of(name)(**config))
    return Structure(name, "diffusers", f"encode(x).{key}", make, batches, code_of(key), code_loss, heavy=True)


STRUCTURES = (
    kl_autoencoder(
        "AutoencoderKLHunyuanImage", pictures, in_channels=3, out_channels=3, latent_channels=4,
        block_out_channels=(32, 32), layers_per_block=1, spatial_compression_ratio=2, sample_size=8,
    ),
    kl_autoencoder(
        "AutoencoderKLKVAE", pictures, channels=32, num_enc_blocks=1, num_dec_blocks=1, z_channels=4, ch_mult=(1, 2),
        sample_size=8,
    ),
    kl_autoencoder(
        "ConsistencyDecoderVAE", pictures, encoder_block_out_channels=(32, 32), encoder_layers_per_block=1,
        encoder_down_block_types=("DownEncoderBlock2D",) * 2, decoder_block_out_channels=(32, 32),
        decoder_down_block_types=("ResnetDownsampleBlock2D",) * 2, sample_size=8,
        decoder_up_block_types=("ResnetUpsampleBlock2D",) * 2, decoder_layers_per_block=1,
    ),
    Structure(
        "VQModel", "diffusers", "codes of a list: no latent",
        seeded(lambda: class_of("VQModel")(block_out_channels=(8, 8), norm_num_groups=2, num_vq_embeddings=32, **ONE)),
        pictures, None, lambda model, x: squared(model(x).sample, x),
    ),
    kl_autoencoder(
        "AutoencoderKLKVAEAudio", mono, encoder_dim=8, encoder_rates=[2, 4], latent_dim=32, codebook_dim=6,
        decoder_dim=32, decoder_rates=[4, 2], attn_num_heads=2,
    ),
    kl_autoencoder(
        "AutoencoderKLLTX2Audio", spectra, base_channels=16, latent_channels=4, ch_mult=(1, 2), resolution=16,
        num_res_blocks=1, mel_bins=16,
    ),
    kl_autoencoder(
        "AutoencoderKLMiniMaxH3Audio", partial(mono, length=64), _std_loss, _std_truth, encoder_dim=8,
        encoder_rates=(2, 2), latent_dim=36, latent_channels=6, num_attention_heads=2, decoder_dim=32,
        decoder_rates=(2, 2), decoder_kernel_sizes=(4, 4), resblock_kernel_sizes=(3,),
        resblock_dilation_sizes=((1, 3),),
    ),
    kl_autoencoder(
        "Cosmos3AVAEAudioTokenizer", audio, _std_loss, _std_truth, sampling_rate=1000, vocoder_input_dim=6, dec_dim=8,
        dec_c_mults=(1, 2), dec_strides=(2, 4), enc_dim=16, enc_intermediate_dim=16, enc_num_layers=1,
        enc_num_blocks=1, enc_n_fft=8, enc_hop_length=2, enc_latent_dim=12, enc_c_mults=(1, 2), enc_strides=(2, 2),
        hop_size=8,
    ),
    kl_autoencoder(
        "LongCatAudioDiTVae", mono, _drawn_loss, lambda model, x: _places(*_drawn(model, x)), channels=8,
        c_mults=[1, 2], strides=[2, 4], latent_dim=8, encoder_latent_dim=16, downsampling_ratio=8,
    ),
    kl_autoencoder(
        "MMAudioVAE", mono, _mel_loss, _mel_truth, mel_bins=16, latent_channels=6, hidden_channels=16,
        channel_multipliers=(1, 2), layers_per_block=1, n_fft=64, hop_length=16,
    ),
    _code(
        "AutoencoderSAME", audio, "latents", patch_size=4, encoder_channels=8, encoder_c_mults=(2,),
        encoder_strides=(2,), encoder_transformer_depths=(1,), latent_dim=6, dim_heads=8,
    ),
)  # fmt: skip
