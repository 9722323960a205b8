"""Scalars and alerts in W&B, beside what the loop logs itself; TensorBoard and the log stay.

WANDB_MODE=offline python examples/frameworks/with_wandb.py
"""

import torch
import wandb

import polar_monitor
from polar_monitor.demo import data
from polar_monitor.demo.models import BetaVae
from polar_monitor.integrations.trackers import WandbSink


def main(steps: int = 1000):
    torch.manual_seed(0)
    images, _ = data.sprites(8192)
    model = BetaVae(images.shape[1], latents=10)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    with wandb.init(project="polar-monitor") as run:
        monitor = polar_monitor.attach(model, sinks=[WandbSink(run)], log_dir="runs/wandb")
        for _ in range(steps):
            loss = model.loss(images[torch.randint(len(images), (128,))], beta=4.0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.log({"loss": loss.item()})
        monitor.detach()
        print(run.summary["polar/active"], "of 10 dimensions are active at step", run.summary["polar/step"])
    print(monitor.summary())
    return monitor


if __name__ == "__main__":
    main()
