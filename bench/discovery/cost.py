"""Time of discovery in models of ordinary size, until the latent is confirmed or fifty steps are over."""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time
from typing import Any

import torch
from torch import Tensor, nn

from polar_monitor.capture.search.look import Look
from polar_monitor.discovery.evidence.judge import Judge

STEPS = 50
"""Steps of a training that never confirms anything."""
REPEATS = 3


class MlpVae(nn.Module):
    """784-512-20."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU())
        self.mu, self.logvar = nn.Linear(512, 20), nn.Linear(512, 20)
        self.decoder = nn.Sequential(nn.Linear(20, 512), nn.ReLU(), nn.Linear(512, 784))

    def forward(self, x: Tensor) -> Any:
        """Return the reconstruction, mean and log-variance."""
        h = self.body(x)
        mean, logvar = self.mu(h), self.logvar(h)
        return self.decoder(mean + (logvar / 2).exp() * torch.randn_like(mean)), mean, logvar


class ConvVae(nn.Module):
    """32 × 32 images to 4 × 8 × 8, with residual blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 32, 3, 2, 1), Residual(32), nn.Conv2d(32, 32, 3, 2, 1), Residual(32), nn.Conv2d(32, 8, 1)
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(4, 32, 1), Residual(32), nn.ConvTranspose2d(32, 32, 2, 2), Residual(32),
            nn.ConvTranspose2d(32, 3, 2, 2),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Any:
        """Return the reconstruction."""
        mean, logvar = self.encoder(x).chunk(2, 1)
        return self.decoder(mean + (logvar / 2).exp() * torch.randn_like(mean))


class Residual(nn.Module):
    """Two convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.a, self.b = nn.GroupNorm(8, width), *(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Return the input and what the block adds."""
        return x + self.b(nn.functional.silu(self.a(nn.functional.silu(self.norm(x)))))


class Block(nn.Module):
    """A transformer's block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """Return the input and what the block adds."""
        x = x + self.out(nn.functional.scaled_dot_product_attention(*self.qkv(self.n1(x)).chunk(3, -1)))
        return x + self.feed(self.n2(x))


class TransformerVae(nn.Module):
    """4 + 4 blocks over 32 tokens; mean and log-variance are the first two."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.embed, self.first = nn.Linear(16, width), nn.Parameter(torch.randn(1, 2, width))
        self.encoder = nn.Sequential(*(Block(width) for _ in range(4)))
        self.place = nn.Parameter(torch.randn(1, 32, width))
        self.from_z = nn.Linear(width, width)
        self.decoder = nn.Sequential(*(Block(width) for _ in range(4)), nn.Linear(width, 16))

    def forward(self, x: Tensor) -> Any:
        """Return the reconstruction."""
        h = self.encoder(torch.cat([self.first.expand(len(x), -1, -1), self.embed(x)], 1))
        mean, logvar = h[:, 0], h[:, 1]
        z = mean + (logvar / 2).exp() * torch.randn_like(mean)
        return self.decoder(self.place + self.from_z(z)[:, None])


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "MLP VAE": (MlpVae, (128, 784)),
    "conv VAE": (ConvVae, (32, 3, 32, 32)),
    "transformer VAE": (TransformerVae, (16, 32, 16)),
    "MLP, no latent": (lambda: nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 784)), (128, 784)),
    "conv net, no latent": (
        lambda: nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1), *(Residual(32) for _ in range(6)), nn.Conv2d(32, 3, 1)),
        (32, 3, 32, 32),
    ),
    "transformer, no latent": (lambda: nn.Sequential(nn.Linear(16, 64), *(Block(64) for _ in range(8))), (16, 32, 16)),
}


def costs() -> str:
    """Return a table: steps looked at, milliseconds in hooks and in judging; medians of some trainings."""
    lines = ["model | confirmed | steps looked at | hooks, ms | judging, CPU ms"]
    for name, (make, shape) in MODELS.items():
        runs = sorted((_run(make(), shape, seed) for seed in range(REPEATS)), key=lambda one: one[2] + one[3])
        confirmed, steps, hooks, judging = runs[REPEATS // 2]
        lines.append(f"{name} | {confirmed} | {steps} | {hooks:.1f} | {judging:.1f}")
    return "\n".join(lines)


def _run(model: nn.Module, shape: tuple[int, ...], seed: int) -> tuple[bool, int, float, float]:
    torch.manual_seed(seed)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    look, judge, judging, pause = Look(model), Judge(lambda mean, spread, unit: 0.0), 0.0, 0
    look.start()
    for _ in range(STEPS):
        data = torch.randn(shape)
        output = model(data)
        output = output[0] if isinstance(output, tuple) else output
        output.square().mean().backward()
        optimiser.step()
        optimiser.zero_grad()
        if pause:
            pause -= 1
            if not pause:
                look.start()
            continue
        blocks = look.end_step()
        begin = thread_time()
        assert blocks is not None
        judge.add(blocks.take())
        confirmed = bool(judge.confirmed())
        judging += thread_time() - begin
        if confirmed:
            break
        pause = judge.pause
        if pause:
            look.stop()
        else:
            look.start(judge.modules() or None)
    look.stop()
    return bool(judge.confirmed()), judge.steps, look.nanoseconds * 1e-6, judging * 1e3
