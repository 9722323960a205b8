# %% [markdown]
# # A loop of your own, without an optimiser
#
# Steps are usually counted by PyTorch's optimisers, and latents are read by hooks on modules. A loop that has
# neither passes both by hand: `monitor.observe(…)` takes latents, `monitor.step()` counts a step. Here a linear VAE
# is trained by gradients that NumPy computes in closed form.

# %%
import numpy as np

import polar_monitor

STEPS = 3000
LATENTS, PIXELS = 6, 20

rng = np.random.default_rng(0)
sources = rng.normal(size=(4096, 3)) * [3.0, 2.0, 1.0]  # three causes of variation
x = sources @ rng.normal(size=(3, PIXELS)) / 3 + 0.3 * rng.normal(size=(4096, PIXELS))

# %% [markdown]
# Encoder: mean = x E, a variance for each dimension. Decoder: x̂ = z D. The loss is half the squared error divided
# by the noise's variance, plus the KL term.

# %%
encoder = 0.1 * rng.normal(size=(PIXELS, LATENTS))
decoder = 0.1 * rng.normal(size=(LATENTS, PIXELS))
logvar = np.zeros(LATENTS)
noise, rate = 0.3**2, 0.003

monitor = polar_monitor.PolarMonitor(log_dir="runs/own_loop", every=100)
for _ in range(STEPS):
    batch = x[rng.integers(len(x), size=128)]
    mean = batch @ encoder
    spread = np.exp(logvar / 2) * rng.normal(size=mean.shape)
    error = ((mean + spread) @ decoder - batch) / noise / len(batch)
    by_latent = error @ decoder.T
    decoder -= rate * (mean + spread).T @ error
    encoder -= rate * batch.T @ (by_latent + mean / len(batch))
    logvar -= 10 * rate * (0.5 * (by_latent * spread).sum(0) + 0.5 * (np.exp(logvar) - 1))

    monitor.observe(mean, logvar=np.broadcast_to(logvar, mean.shape))
    monitor.step()

print(monitor.summary())

# %% [markdown]
# Three causes of variation, and as many dimensions in use. A PyTorch model that is updated by hand needs only
# `monitor = polar_monitor.attach(model)` and `monitor.step()`: its latents are read as ever.

# %%
monitor.detach()
