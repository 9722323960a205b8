"""A β-VAE with Accelerate: one line, and the monitor's state in `save_state`.

python examples/frameworks/with_accelerate.py
"""

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader

import polar_monitor
from polar_monitor.demo import data
from polar_monitor.demo.models import BetaVae


def main(steps: int = 1000):
    torch.manual_seed(0)
    images, _ = data.sprites(8192)
    accelerator, model = Accelerator(cpu=True, gradient_accumulation_steps=2), BetaVae(images.shape[1], latents=10)

    monitor = polar_monitor.attach(model)
    accelerator.register_for_checkpointing(monitor)

    loader = DataLoader(images, batch_size=64, shuffle=True)
    model, optimizer, loader = accelerator.prepare(model, torch.optim.Adam(model.parameters(), 1e-3), loader)
    while monitor.health().steps < steps:
        for batch in loader:
            with accelerator.accumulate(model):
                accelerator.backward(accelerator.unwrap_model(model).loss(batch, beta=4.0))
                optimizer.step()
                optimizer.zero_grad()
    accelerator.save_state("checkpoint")
    print(monitor.summary())
    return monitor


if __name__ == "__main__":
    main()
