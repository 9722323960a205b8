"""The labels of a latent as a metric, over a validation set.

python examples/frameworks/with_torchmetrics.py
"""

import torch

import polar_monitor
from polar_monitor.demo import data
from polar_monitor.demo.models import BetaVae
from polar_monitor.integrations.torchmetrics import PolarisationMetric


def main(steps: int = 1000):
    torch.manual_seed(0)
    images, _ = data.sprites(8192)
    model = BetaVae(images.shape[1], latents=10)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    monitor = polar_monitor.attach(model)
    for _ in range(steps):
        loss = model.loss(images[torch.randint(len(images), (128,))], beta=4.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    metric = PolarisationMetric(10)
    model.eval()
    with torch.no_grad():
        for batch in images.split(256):
            mean, logvar = model.encode(batch)
            metric.update(mean, logvar=logvar)
    print({name: round(float(value), 3) for name, value in metric.compute().items()})
    print(monitor.summary())
    return monitor


if __name__ == "__main__":
    main()
