"""A β-VAE in an Ignite engine: the handler is the only line added.

python examples/frameworks/with_ignite.py
"""

import torch
from ignite.engine import Engine
from torch.utils.data import DataLoader

from polar_monitor.demo import data
from polar_monitor.demo.models import BetaVae
from polar_monitor.integrations.ignite import PolarHandler


def main(steps: int = 1000):
    torch.manual_seed(0)
    images, _ = data.sprites(8192)
    model = BetaVae(images.shape[1], latents=10)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def update(engine, batch):
        optimizer.zero_grad()
        loss = model.loss(batch, beta=4.0)
        loss.backward()
        optimizer.step()
        return loss.item()

    trainer = Engine(update)
    handler = PolarHandler(model).attach(trainer)
    trainer.run(DataLoader(images, batch_size=128, shuffle=True), max_epochs=-(-steps // 64))
    print(handler.monitor.summary())
    return handler.monitor


if __name__ == "__main__":
    main()
