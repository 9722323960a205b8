"""Short trainings under a look, and small models, for the tests of discovery by evidence."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from polar_monitor.capture.search.look import Look
from polar_monitor.discovery.evidence.judge import Judge
from polar_monitor.discovery.evidence.pieces import Slot
from polar_monitor.discovery.evidence.reading import Reading
from polar_monitor.discovery.evidence.seen import Seen, tensors_of


def no_hint(mean: Slot, spread: Slot, unit: str) -> float:
    return 0.0


class Run(NamedTuple):
    judge: Judge
    steps: int
    seen: list[Seen]
    """Tensors of the latest step."""

    @property
    def readings(self) -> list[Reading]:
        return self.judge.confirmed()

    @property
    def names(self) -> list[tuple[str, str, str]]:
        """(mean, spread, form) of each confirmed reading, as messages show them."""
        return [(str(reading.mean), str(reading.spread), reading.form.name) for reading in self.readings]


def run(
    model: nn.Module,
    batch: Callable[[], Any],
    steps: int = 30,
    latents: int = 1,
    seed: int = 0,
    lr: float = 1e-3,
    amp: torch.dtype | None = None,
    hint: Callable[[Slot, Slot, str], float] = no_hint,
) -> Run:
    """Train until `latents` readings are confirmed, at most `steps` steps; the loss is that of all outputs to be 1."""
    torch.manual_seed(seed)
    optimiser = torch.optim.Adam(model.parameters(), lr)
    look, judge = Look(model), Judge(hint)
    seen: list[Seen] = []
    look.start()
    for _ in range(steps):
        data = batch()
        with torch.autocast("cpu", amp, enabled=amp is not None):
            output = model(*data) if isinstance(data, tuple) else model(data)
            values = [t.float() for _, t in tensors_of(output) if t.requires_grad]
        loss = torch.stack([(value - 1).square().mean() for value in values]).sum()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        blocks = look.end_step()
        assert blocks is not None
        seen = blocks.take()
        judge.add(seen)
        if len(judge.confirmed()) >= latents:
            break
        look.start(judge.modules() or None)
    look.stop()
    return Run(judge, judge.steps, seen)


def rows(*shape: int) -> Callable[[], Tensor]:
    """Return a maker of batches."""
    return lambda: torch.randn(*shape)


def look_once(model: nn.Module, data: Any) -> list[Seen]:
    """Return the tensors of one forward."""
    look = Look(model)
    look.start()
    model(*data) if isinstance(data, tuple) else model(data)
    blocks = look.end_step()
    look.stop()
    assert blocks is not None
    return blocks.take()


def mlp(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for first, second in pairwise(widths):
        layers += [nn.Linear(first, second), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


N, X, H, D = 32, 20, 32, 6
"""Inputs, and widths of the data, of hidden layers and of the latent."""


def noise(mean: Tensor, std: Tensor) -> Tensor:
    return mean + std * torch.randn_like(mean)


class Toy(nn.Module):
    """A VAE with heads `mu` and `lv`; `forward` is given."""

    def __init__(self, forward: Callable[..., Any] | None = None, latents: int = D, decoded: int = 0) -> None:
        super().__init__()
        self.body = nn.Sequential(mlp(X, H), nn.Tanh())
        self.mu, self.lv = nn.Linear(H, latents), nn.Linear(H, latents)
        self.dec = mlp(decoded or latents, H, X)
        self.given = forward

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x)
        return self.mu(h), self.lv(h)

    def forward(self, x: Tensor) -> Any:
        mean, spread = self.heads(x)
        if self.given is not None:
            return self.given(self, x, mean, spread)
        return self.dec(noise(mean, (spread / 2).exp())), mean, spread


class Net(nn.Module):
    """A model of named modules and a function of it and its inputs."""

    def __init__(self, function: Callable[..., Any], **modules: nn.Module | nn.Parameter) -> None:
        super().__init__()
        self.function = function
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(self, *inputs)
