"""A β-VAE in a plain PyTorch loop, with the monitor as the only line added.

python examples/plain_loop.py
tensorboard --logdir runs
"""

import argparse

import torch

import polar_monitor
from polar_monitor.demo import data
from polar_monitor.demo.models import BetaVae


def main(steps: int) -> polar_monitor.PolarMonitor:
    torch.manual_seed(0)
    images, _ = data.sprites(8192)
    model = BetaVae(images.shape[1], latents=10)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    monitor = polar_monitor.attach(model)

    for _ in range(steps):
        batch = images[torch.randint(len(images), (128,))]
        loss = model.loss(batch, beta=4.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    print(monitor.explain())
    print(monitor.summary())
    return monitor


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    main(parser.parse_args().steps)
