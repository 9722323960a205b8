"""A β-VAE in the Trainer of transformers: the callback is the only line added.

python examples/frameworks/with_transformers.py
"""

import torch
from transformers import Trainer, TrainingArguments

from polar_monitor.demo import data
from polar_monitor.demo.models import BetaVae
from polar_monitor.integrations.transformers import PolarCallback


class VaeForTrainer(torch.nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.vae = BetaVae(inputs, latents=10)

    def forward(self, images):
        return {"loss": self.vae.loss(images, beta=4.0)}


def main(steps: int = 1000):
    torch.manual_seed(0)
    images, _ = data.sprites(8192)
    arguments = TrainingArguments(
        "vae", max_steps=steps, per_device_train_batch_size=128, learning_rate=1e-3, report_to=[], use_cpu=True
    )
    callback = PolarCallback()
    rows = [{"images": image} for image in images]
    Trainer(VaeForTrainer(images.shape[1]), arguments, train_dataset=rows, callbacks=[callback]).train()
    print(callback.monitor.summary())
    return callback.monitor


if __name__ == "__main__":
    main()
