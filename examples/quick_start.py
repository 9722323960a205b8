# %% [markdown]
# # Quick start
#
# A β-VAE on small pictures, in a plain PyTorch loop. One line is added, and the summary says which latent
# dimensions carry information.

# %%
import torch

import polar_monitor
from polar_monitor.demo import data
from polar_monitor.demo.models import BetaVae

STEPS = 1500

torch.manual_seed(0)
images, factors = data.sprites(8192)  # pictures of 32 × 32 pixels with few causes of variation: (8192, 1024)
model = BetaVae(images.shape[1], latents=10)
optimizer = torch.optim.Adam(model.parameters(), 1e-3)

# %% [markdown]
# The line. It finds the layers that give the mean and the log-variance, and prints what it watches. `max_overhead=0.1`
# lets it look often in a run of half a minute; in a longer one, the default of 1 % is enough.

# %%
monitor = polar_monitor.attach(model, max_overhead=0.1)

# %% [markdown]
# The training loop stays as it is.

# %%
for _ in range(STEPS):
    batch = images[torch.randint(len(images), (128,))]
    loss = model.loss(batch, beta=4.0)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

print(monitor.summary())

# %% [markdown]
# How to read it: **nats** measure information; 0.69 nats are one bit, an answer to one yes-or-no question about the
# input. An **active** dimension carries at least 0.15 nats, a **passive** one at most 0.05: it stays at the prior,
# whatever the input is. Both kinds together are the *polarised* regime, which is healthy: the model uses as many
# dimensions as it needs.
#
# Why does a dimension have its label?

# %%
regime = monitor.regime()
print(regime.explain(0))

# %% [markdown]
# In a notebook a monitor shows itself, with a small curve of nats over steps for each dimension:

# %%
monitor

# %% [markdown]
# TensorBoard shows the run live in its tab "Polarisation", and `polar-monitor report` makes one HTML file of it.

# %%
monitor.detach()  # takes the hooks off; nothing stays on the model
