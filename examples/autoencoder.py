# %% [markdown]
# # An autoencoder without a variance
#
# A plain or regularised autoencoder has a code, and no noise on it. Its scale has no unit of its own, so "small"
# means nothing before the decoder is asked: the monitor measures how much the decoder makes of each dimension.

# %%
import torch

import polar_monitor
from polar_monitor.demo import data
from polar_monitor.demo.models import Autoencoder

STEPS = 1500

torch.manual_seed(0)
images, _ = data.sprites(8192)
model = Autoencoder(images.shape[1], latents=10, decay=0.1)  # decay: penalty on the squared code
optimizer = torch.optim.Adam(model.parameters(), 1e-3)

# %% [markdown]
# The encoder gives as many dimensions as the decoder takes, so both are found; `mean="encoder",
# decoder=model.decoder` would say the same.

# %%
monitor = polar_monitor.attach(model, max_overhead=0.1)
for _ in range(STEPS):
    loss = model.loss(images[torch.randint(len(images), (128,))])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

print(monitor.explain())
print(monitor.summary())

# %% [markdown]
# Without a variance no dimension is ever called mixed: a dimension that half of the inputs use differs from others
# in its variance alone. The penalty on the code does not favour axes, so the code may be of low rank although every
# axis is in use.

# %%
snapshot = monitor.snapshot()
print(f"effective rank of the code: {snapshot.effective_rank:.1f} of {len(snapshot.mean)} dimensions")
monitor.detach()
