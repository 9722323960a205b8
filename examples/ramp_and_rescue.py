# %% [markdown]
# # Ramp and rescue
#
# β rises until the KL term costs more than the dimensions are worth, and they collapse one after the other. The
# monitor warns before, keeps checkpoints of healthy steps, and knows which of them to go back to.

# %%
import copy

import torch

import polar_monitor
from polar_monitor.alerts import AlertKind
from polar_monitor.demo import data
from polar_monitor.demo.models import BetaVae
from polar_monitor.healthy import KeepHealthy

STEPS, SETTLE = 2400, 800

torch.manual_seed(0)
images, _ = data.sprites(8192)
model = BetaVae(images.shape[1], latents=10, hidden=128)
optimizer = torch.optim.Adam(model.parameters(), 2e-3)


def everything():
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "monitor": monitor.state_dict()}


keeper = KeepHealthy("runs/rescue/healthy", everything)
monitor = polar_monitor.attach(model, log_dir="runs/rescue", sinks=[keeper], every=20, max_overhead=0.2, warmup=SETTLE)


def step(beta: float) -> None:
    monitor.log(beta=beta)
    loss = model.loss(images[torch.randint(len(images), (128,))], beta)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def beta_at(i: int) -> float:
    """β = 1 until the dimensions have settled; then it grows by a constant factor a step."""
    return 1.004 ** max(i - SETTLE, 0)


# %% [markdown]
# ## The collapse, warned of
#
# The loop ends as soon as a dimension is lost. The alert FADING comes before, with a forecast.

# %%
for i in range(STEPS):
    step(beta_at(i))
    if any(alert.kind is AlertKind.LOST for alert in monitor.alerts):
        print(f"stopped at step {i + 1:,}, beta = {beta_at(i):.1f}")
        break

print(monitor.summary())

# %% [markdown]
# ## The rescue
#
# The newest checkpoint is not a healthy one: a dimension begins to fade before anyone can distinguish this from noise.
# `keeper.healthy` is the newest file from before the fall. The monitor's own state goes back too.

# %%
damaged = copy.deepcopy(everything())
if keeper.healthy is not None:
    print("back to", keeper.healthy.name)
    saved = torch.load(keeper.healthy)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    monitor.load_state_dict(saved["monitor"])

for _ in range(SETTLE // 2):
    step(beta=1.0)

print(monitor.summary())
monitor.detach()

# %% [markdown]
# ## The control: lower β, without the checkpoint
#
# Is the checkpoint needed, or would a lower β have brought the dimension back by itself? The same number of steps
# from the damaged model:


# %%
def nats():
    with torch.no_grad():
        mean, logvar = model.encode(images)
    return polar_monitor.classify(mean, logvar=logvar).snapshot.information.round(2)


print("rescued:", nats())
model.load_state_dict(damaged["model"])
optimizer.load_state_dict(damaged["optimizer"])
print("damaged:", nats())
for _ in range(SETTLE // 2):
    loss = model.loss(images[torch.randint(len(images), (128,))], beta=1.0)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("damaged, then beta = 1:", nats())

# %% [markdown]
# In the run shown here the dimension that was lost stays lost without the checkpoint, at the same β: the decoder has
# learned to do without it. Those that were only fading recover either way. This is one run with one seed; it does not
# say how often a rescue works.
