"""`python -m bench.worth [--only MODEL …]`: worth of each dimension beside its information, for the demo's models.

The linear VAE has the optimum in closed form beside it, and the coverage of the stated errors: how many of the worths
of 200 batches are within 1.96 standard errors of the expected rise of that model, by the covariances of its data.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

import polar_monitor
from bench.zoo.linear_gaussian import linear_gaussian
from bench.zoo.linear_vae import LinearVae, linear_optimum
from bench.zoo.training import train
from polar_monitor.demo import data
from polar_monitor.demo.models import Autoencoder, BetaVae, IVae

ROWS = 2048
SPECTRUM = (9.0, 4.0, 2.0, 0.8, 0.5, 0.2)


def loss_of(model: Any) -> Callable[[Any, Any], Tensor]:
    """The model's own likelihood, nats (n,); the reconstruction is the first output."""
    return lambda output, batch: model.likelihood(batch[0] if isinstance(batch, tuple) else batch, output[0])


def linear(steps: int) -> None:
    """A linear VAE on Gaussian data: the worth, the closed form, and the coverage of the errors."""
    x, _ = linear_gaussian(16384, SPECTRUM)
    model = LinearVae(len(SPECTRUM), 4)
    train(model, x, weight=1.0, steps=steps, rate=1e-2)
    worth = polar_monitor.ablate(model, linear_gaussian(ROWS, SPECTRUM, seed=1)[0], loss=loss_of(model))
    print(worth)
    exact = linear_optimum(SPECTRUM[:4], beta=1.0, noise=1.0)
    order = np.argsort(-worth.worth)
    print("\n  dim   worth ± se      optimum   used   information at the optimum   within 1.96 se, 200 batches of 512")
    covered = np.zeros(4)
    for seed in range(200):
        batch = linear_gaussian(512, SPECTRUM, seed=100 + seed)[0]
        one = polar_monitor.ablate(
            model, batch, loss=loss_of(model), replace=("marginal",), mean="fc_mu", logvar="fc_logvar", seed=seed
        )
        covered += np.abs(one.worth - expected(model)) <= 1.96 * one.worth_se
    for place, j in enumerate(order.tolist()):
        cells = f"{worth.worth[j]:6.3f} ± {worth.worth_se[j]:5.3f}  {exact.rise[place]:9.3f}  {worth.used[j]:6.3f}"
        print(f"  {j:>3}  {cells}  {exact.information[place]:26.3f}  {covered[j] / 200:36.1%}")


@torch.no_grad()
def expected(model: LinearVae) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Rise of the expected loss of this linear model, as it is trained, by the covariances of its data."""
    axes, _ = np.linalg.qr(np.random.default_rng(len(SPECTRUM)).normal(size=(len(SPECTRUM), len(SPECTRUM))))
    sigma = axes @ np.diag(SPECTRUM) @ axes.T
    encode, decode = (layer.weight.double().numpy() for layer in (model.fc_mu, model.decoder))
    spread, offset = model.fc_logvar.weight.double().numpy(), model.fc_logvar.bias.double().numpy()
    variance = np.exp(offset + 0.5 * np.einsum("di,ij,dj->d", spread, sigma, spread))  # E exp of a Gaussian
    code, cross = encode @ sigma @ encode.T + np.diag(variance), sigma @ encode.T
    rises = []
    for j in range(len(code)):
        # E|x − W z'|² − E|x − W z|² with z'_j independent of the rest
        others = [k for k in range(len(code)) if k != j]
        w = decode[:, j]
        rises.append(2 * w @ cross[:, j] - 2 * sum(w @ decode[:, k] * code[j, k] for k in others))
    return np.array(rises) / 2


def beta(weight: float) -> Callable[[int], None]:
    """Return the run of a β-VAE on sprites."""

    def run(steps: int) -> None:
        """A β-VAE on sprites."""
        x = data.sprites(16384)[0]
        model = BetaVae(x.shape[1], hidden=128)
        train(model, x[ROWS:], weight=weight, steps=steps, rate=2e-3)
        print(polar_monitor.ablate(model, x[:ROWS], loss=loss_of(model)))

    return run


def autoencoder(steps: int) -> None:
    """An autoencoder with an L2 penalty on sprites, under a monitor."""
    x = data.sprites(16384)[0]
    model = Autoencoder(x.shape[1], hidden=128)
    monitor = polar_monitor.attach(model, sinks=())
    train(model, x[ROWS:], weight=3.0, steps=steps, rate=2e-3)
    monitor.evaluate()
    monitor.probe(x[:ROWS], loss=loss_of(model))
    print(monitor.summary())
    monitor.detach()


def conditional(steps: int) -> None:
    """An iVAE, whose prior depends on the segment of a row."""
    x, u, _ = data.auxiliary(16384, sources=2)
    model = IVae(x.shape[1], u.shape[1], latents=5)
    train(model, x[ROWS:], u=u[ROWS:], weight=1.0, steps=steps, rate=2e-3)
    print(polar_monitor.ablate(model, (x[:ROWS], u[:ROWS]), loss=loss_of(model)))


MODELS: dict[str, Callable[[int], None]] = {
    "linear": linear,
    "beta-1": beta(1.0),
    "beta-8": beta(8.0),
    "autoencoder": autoencoder,
    "conditional": conditional,
}


def main() -> None:
    """Train each model, and print its table."""
    parser = argparse.ArgumentParser(prog="python -m bench.worth", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=MODELS, default=[*MODELS], metavar="MODEL", help="some models")
    parser.add_argument("--steps", type=int, default=3000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.only:
        torch.manual_seed(0)
        print(f"\n{name}: {MODELS[name].__doc__}")
        MODELS[name](arguments.steps)


if __name__ == "__main__":
    main()
