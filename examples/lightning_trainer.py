# %% [markdown]
# # Lightning
#
# The callback is the only line added to a trainer. Needs `pip install ".[lightning]"`.

# %%
import csv

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from polar_monitor.demo import data
from polar_monitor.demo.models import BetaVae
from polar_monitor.integrations.lightning import PolarCallback

STEPS = 1000


class LitVae(pl.LightningModule):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.vae = BetaVae(inputs, latents=10)

    def training_step(self, batch, index):
        return self.vae.loss(batch, beta=4.0)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-3)


# %%
pl.seed_everything(0)
images, _ = data.sprites(8192)
callback = PolarCallback(max_overhead=0.1)
trainer = pl.Trainer(
    max_steps=STEPS, callbacks=[callback], accelerator="cpu", enable_checkpointing=False, enable_progress_bar=False,
    logger=CSVLogger("runs"), enable_model_summary=False,
)  # fmt: skip
trainer.fit(LitVae(images.shape[1]), DataLoader(images, batch_size=128, shuffle=True))
print(callback.monitor.summary())

# %% [markdown]
# The trainer's logger has the same numbers at the steps of the evaluations:

# %%
with open(f"{trainer.logger.log_dir}/metrics.csv") as file:
    rows = [row for row in csv.DictReader(file) if row["polar/active"]]
for row in rows[-3:]:
    print(f"step {row['step']}: {row['polar/active']} active, {row['polar/passive']} passive")
