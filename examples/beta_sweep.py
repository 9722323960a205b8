# %% [markdown]
# # A sweep of β, compared
#
# The same VAE with three weights of the KL term. How many dimensions does each keep, and how much do they carry?

# %%
import torch

import polar_monitor
from polar_monitor.cli.main import main as polar_monitor_command
from polar_monitor.demo import data
from polar_monitor.demo.models import BetaVae

STEPS = 1200
BETAS = (1.0, 4.0, 16.0)

images, _ = data.sprites(8192)


def train(beta: float) -> None:
    torch.manual_seed(0)
    model = BetaVae(images.shape[1], latents=10, hidden=128)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    with polar_monitor.attach(model, log_dir=f"runs/beta={beta:g}", max_overhead=0.1) as monitor:
        monitor.log(beta=beta)
        for _ in range(STEPS):
            loss = model.loss(images[torch.randint(len(images), (128,))], beta)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


for beta in BETAS:
    train(beta)

# %% [markdown]
# The runs side by side. On a command line this is `polar-monitor compare runs`; TensorBoard's HParams page has the
# same columns.

# %%
exit_code = polar_monitor_command(["compare", "runs", "--sort", "beta"])

# %% [markdown]
# A larger β takes more dimensions out of use. The labels have one scale for all runs, information in nats, so the
# rows can be compared; a count of "active units" by a cut on the KL term or on the variance of the means cannot,
# because β moves both.
#
# The numbers behind the table are records with a row for each step and dimension:

# %%
for beta in BETAS:
    records = polar_monitor.read(f"runs/beta={beta:g}")
    last = max(record.step for record in records)
    nats = sorted((record.nats for record in records if record.step == last), reverse=True)
    print(f"beta = {beta:<4g}", " ".join(f"{value:.2f}" for value in nats))
