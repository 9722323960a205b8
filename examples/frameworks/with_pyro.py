"""A VAE in pyro, trained by SVI: one line.

python examples/frameworks/with_pyro.py
"""

import pyro
import pyro.distributions as dist
import torch
from pyro.infer import SVI, Trace_ELBO
from torch import nn

import polar_monitor
from polar_monitor.demo import data


class Encoder(nn.Module):
    def __init__(self, inputs: int, latents: int) -> None:
        super().__init__()
        self.body, self.loc, self.scale = nn.Linear(inputs, 64), nn.Linear(64, latents), nn.Linear(64, latents)

    def forward(self, x):
        h = self.body(x).relu()
        return self.loc(h), self.scale(h).exp()


class Vae(nn.Module):
    def __init__(self, inputs: int, latents: int) -> None:
        super().__init__()
        self.latents, self.encoder = latents, Encoder(inputs, latents)
        self.decoder = nn.Sequential(nn.Linear(latents, 64), nn.ReLU(), nn.Linear(64, inputs))

    def model(self, x):
        pyro.module("decoder", self.decoder)
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", dist.Normal(torch.zeros(len(x), self.latents), 1.0).to_event(1))
            pyro.sample("x", dist.Normal(self.decoder(z), 0.3).to_event(1), obs=x)

    def guide(self, x):
        pyro.module("encoder", self.encoder)
        with pyro.plate("data", len(x)):
            pyro.sample("z", dist.Normal(*self.encoder(x)).to_event(1))


def main(steps: int = 1000):
    pyro.set_rng_seed(0)
    pyro.clear_param_store()
    images, _ = data.sprites(8192)
    vae = Vae(images.shape[1], latents=10)

    monitor = polar_monitor.attach(vae)

    svi = SVI(vae.model, vae.guide, pyro.optim.Adam({"lr": 1e-3}), Trace_ELBO())
    for _ in range(steps):
        svi.step(images[torch.randint(len(images), (128,))])
    print(monitor.summary())
    return monitor


if __name__ == "__main__":
    main()
