# %% [markdown]
# # Latents from files
#
# The training is over, or was someone else's, and there are only arrays of means and variances. The same labels,
# without a model.

# %%
import numpy as np

import polar_monitor
from polar_monitor.cli.main import main as polar_monitor_command

INPUTS = 20_000

rng = np.random.default_rng(0)
used = rng.normal(size=(INPUTS, 2))
unused = 0.01 * rng.normal(size=(INPUTS, 1))
shows = rng.random(INPUTS) < 0.5  # the last dimension is used by every second input, and at the prior for the others
sometimes = np.where(shows, 1.4 * rng.normal(size=INPUTS), 0.0)[:, None]
mean = np.hstack([used, unused, sometimes]).astype(np.float32)
variance = np.hstack([np.full((INPUTS, 2), 0.03), np.ones((INPUTS, 1)), np.where(shows, 0.03, 1.0)[:, None]])
np.savez("latents.npz", mean=mean, var=variance.astype(np.float32))
np.save("mean.npy", mean)
np.save("var.npy", variance)

# %% [markdown]
# On a command line: `polar-monitor check latents.npz`. The exit code is 1 if a condition of `--fail-on` holds, so
# that a script can stop on it.

# %%
code = polar_monitor_command(["check", "latents.npz", "--fail-on", "collapse"])
print("exit code", code)

# %% [markdown]
# In Python, from memory maps, so that arrays larger than the memory can be judged:

# %%
regime = polar_monitor.classify(np.load("mean.npy", mmap_mode="r"), var=np.load("var.npy", mmap_mode="r"))
print(regime.explain(3))
regime

# %% [markdown]
# With the means alone nothing is called mixed: the last dimension differs from the first two in its variance.

# %%
print(polar_monitor.classify(mean).labels)
