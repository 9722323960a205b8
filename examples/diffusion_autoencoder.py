# %% [markdown]
# # The autoencoder of a diffusion model
#
# A latent diffusion model is trained on the latents of an `AutoencoderKL`: maps of a few channels. Which channels
# carry something, and by which factor must they be scaled? Needs `pip install ".[diffusers]"`.

# %%
import torch
from diffusers import AutoencoderKL

import polar_monitor
from polar_monitor.demo import data

STEPS = 300

torch.manual_seed(0)
images, _ = data.sprites(4096)
images = images.reshape(-1, 1, 32, 32)
vae = AutoencoderKL(
    in_channels=1, out_channels=1, latent_channels=4, block_out_channels=(8, 16), norm_num_groups=4,
    down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
)  # fmt: skip
optimizer = torch.optim.Adam(vae.parameters(), 1e-3)

# %% [markdown]
# `encode` and `decode` are methods that bypass hooks on the model; the monitor finds the module in between. A
# channel is a dimension, and its places are rows.

# %%
monitor = polar_monitor.attach(vae)
for _ in range(STEPS):
    batch = images[torch.randint(len(images), (32,))]
    posterior = vae.encode(batch).latent_dist
    loss = (vae.decode(posterior.sample()).sample - batch).square().sum((1, 2, 3)).mean()
    loss = loss + 0.01 * posterior.kl().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

print(monitor.explain())
print(monitor.summary())

# %% [markdown]
# A diffusion model expects latents of unit scale. The factors come from the rows that the monitor has already seen:

# %%
scale = monitor.latent_statistics()
print(scale)
print("standard deviation of each channel:", scale.std.round(3))
vae.register_to_config(scaling_factor=scale.scaling_factor, shift_factor=scale.shift_factor)
monitor.detach()
