"""A small AutoencoderKL, and the numbers that a diffusion model in its latent space needs.

python examples/frameworks/with_diffusers.py
"""

import torch
from diffusers import AutoencoderKL

import polar_monitor
from polar_monitor.demo import data


def main(steps: int = 400):
    torch.manual_seed(0)
    images, _ = data.sprites(4096)
    side = int(images.shape[1] ** 0.5)
    images = images.reshape(-1, 1, side, side)
    vae = AutoencoderKL(
        in_channels=1, out_channels=1, latent_channels=4, block_out_channels=(8, 16), norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip
    optimizer = torch.optim.Adam(vae.parameters(), 1e-3)

    monitor = polar_monitor.attach(vae)

    for _ in range(steps):
        batch = images[torch.randint(len(images), (32,))]
        posterior = vae.encode(batch).latent_dist
        loss = (vae.decode(posterior.sample()).sample - batch).square().sum((1, 2, 3)).mean()
        loss = loss + 0.01 * posterior.kl().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    scale = monitor.latent_statistics()
    vae.register_to_config(scaling_factor=scale.scaling_factor, shift_factor=scale.shift_factor)
    print(monitor.summary())
    print(scale, "by channel:", scale.std.round(3))
    return monitor


if __name__ == "__main__":
    main()
