"""A β-VAE in a Lightning trainer: the callback is the only line added.

python examples/frameworks/with_lightning.py
"""

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader

from polar_monitor.demo import data
from polar_monitor.demo.models import BetaVae
from polar_monitor.integrations.lightning import PolarCallback


class LitVae(pl.LightningModule):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.vae = BetaVae(inputs, latents=10)

    def training_step(self, batch, index):
        return self.vae.loss(batch, beta=4.0)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-3)


def main(steps: int = 1000):
    pl.seed_everything(0)
    images, _ = data.sprites(8192)
    callback = PolarCallback()
    trainer = pl.Trainer(max_steps=steps, callbacks=[callback], accelerator="cpu", enable_checkpointing=False)
    trainer.fit(LitVae(images.shape[1]), DataLoader(images, batch_size=128, shuffle=True))
    print(callback.monitor.summary())
    return callback.monitor


if __name__ == "__main__":
    main()
