"""Time and error of the information by quadrature, on the window of a trained VAE."""

import math

import numpy as np
import torch

from polar_monitor import entropy
from polar_monitor.demo.data import sprites
from polar_monitor.demo.models import BetaVae
from polar_monitor.kernels import blocking, mixture

from .. import timing

ROWS, LATENTS, STEPS = 4096, 32, 1500
FINE = 10
"""Grid points of the dense quadrature in the least σ."""


def table() -> str:
    """Milliseconds for the window, and the largest difference in nats."""
    mean, variance = window()
    times = timing.medians(
        {
            "ours": lambda: mixture.information(mean, variance),
            "ours, rows in time order": lambda: mixture.information(mean, variance, square=blocking.square),
            "ours, polar_monitor.entropy.information of (n, D)": lambda: entropy.information(
                mean.T, variance.T, dependent=False
            ),
        },
        least=15,
    )
    value, error = mixture.information(mean, variance)
    dense = np.array([by_dense_quadrature(m, s) for m, s in zip(mean, variance, strict=True)])
    rows = [[name, f"{1e3 * time:.2f} ms"] for name, time in times.items()]
    rows += [
        [f"dimensions above 0.15 nats, of {LATENTS}", f"{(value > 0.15).sum()}"],
        ["information, greatest and least", f"{value.max():.3f} and {value.min():.5f} nats"],
        ["standard error, greatest", f"{error.max():.1e} nats"],
        ["largest difference from the dense quadrature", f"{np.abs(value - dense).max():.1e} nats"],
    ]
    return timing.table([f"window {ROWS} × {LATENTS} of a β-VAE on sprites", ""], rows)


def window() -> tuple[np.ndarray, np.ndarray]:
    """Means and variances (D, n) of a β-VAE after a minute of training."""
    torch.manual_seed(0)
    x, _ = sprites(8192)
    model = BetaVae(x.shape[1], LATENTS, 128)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(STEPS):
        loss = model.loss(x[torch.randint(len(x), (128,))], 1.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        _, mean, logvar = model(x[:ROWS])
    return mean.T.contiguous().numpy(), logvar.exp().T.contiguous().numpy()


def by_dense_quadrature(mean: np.ndarray, variance: np.ndarray) -> float:
    """h(q) − mean ½ log 2πeσ² + S / 2n of the mixture q of all rows (n,), by sums over a fine grid.

    S / 2n is the first-order correction of the bias, S = ∫ q₂/q − 1 with q₂ the mean of the squared components.
    """
    m, s = mean.astype(float), np.sqrt(variance.astype(float))
    step = s.min() / FINE
    grid = np.arange(m.min() - 9 * s.max(), m.max() + 9 * s.max(), step)
    density, squared = np.zeros(len(grid)), np.zeros(len(grid))
    for centre, width in zip(m, s, strict=True):
        first, last = np.searchsorted(grid, [centre - 9 * width, centre + 9 * width])
        component = np.exp(-0.5 * ((grid[first:last] - centre) / width) ** 2) / (width * math.sqrt(2 * math.pi))
        density[first:last] += component / len(m)
        squared[first:last] += component * component / len(m)
    some = density > 0
    entropy = -(density[some] * np.log(density[some])).sum() * step
    excess = (squared[some] / density[some]).sum() * step - 1.0
    return float(entropy - 0.5 * math.log(2 * math.pi * math.e) - np.log(s).mean() + excess / (2 * len(m)))
