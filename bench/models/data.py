"""Inputs drawn from a seed, without end: each batch is new, so every input is independent of the others."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

BATCH = 64
WIDTH = 24
"""Numbers of a vector."""
VOCABULARY = 12
PADDING = 0
GRAPH_NODES = 300


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _map(width: int, factors: int = 4) -> tuple[Tensor, Tensor]:
    fixed = _generator(1)
    return torch.randn(factors, 32, generator=fixed), torch.randn(32, width, generator=fixed) / 4


def vectors(seed: int, width: int = WIDTH, n: int = BATCH) -> Iterator[Tensor]:
    """Yield (n, width): a fixed nonlinear map of four factors, with noise."""
    generator, (inner, outer) = _generator(seed), _map(width)
    while True:
        factors = torch.randn(n, len(inner), generator=generator)
        yield torch.tanh(factors @ inner / 2) @ outer + 0.1 * torch.randn(n, width, generator=generator)


def labelled(seed: int, classes: int = 4, width: int = WIDTH, n: int = BATCH) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield vectors that depend on a class too, and the class."""
    generator, (inner, outer) = _generator(seed), _map(width)
    shifts = 2 * torch.randn(classes, len(inner), generator=_generator(2))
    while True:
        label = torch.randint(classes, (n,), generator=generator)
        factors = torch.randn(n, len(inner), generator=generator) + shifts[label]
        yield torch.tanh(factors @ inner / 2) @ outer + 0.1 * torch.randn(n, width, generator=generator), label


def two_views(seed: int, width: int = WIDTH, n: int = BATCH) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield two vectors of the same factors."""
    for x in vectors(seed, 2 * width, n):
        yield x[:, :width], x[:, width:]


def images(seed: int, size: int = 16, n: int = BATCH, channels: int = 1) -> Iterator[Tensor]:
    """Yield (n, channels, size, size): one blob, with its place, width and brightness drawn."""
    generator, grid = _generator(seed), torch.linspace(-1, 1, size)
    while True:
        x, y, width, light = torch.rand(4, n, 1, 1, generator=generator)
        squares = (grid.view(1, 1, -1) - 1.4 * x + 0.7) ** 2 + (grid.view(1, -1, 1) - 1.4 * y + 0.7) ** 2
        blob = (0.5 + light) * torch.exp(-squares / (0.05 + 0.2 * width))
        noise = 0.05 * torch.randn(n, channels, size, size, generator=generator)
        yield blob.unsqueeze(1) * torch.linspace(1, 0.5, channels).view(-1, 1, 1) + noise


def sequences(seed: int, steps: int = 10, width: int = 6, n: int = BATCH) -> Iterator[Tensor]:
    """Yield (n, steps, width): waves with frequency, phase and height drawn."""
    generator, t = _generator(seed), torch.arange(steps) / steps
    shifts = torch.linspace(0, math.pi, width)
    while True:
        frequency, phase, height = torch.rand(3, n, 1, 1, generator=generator)
        waves = torch.sin(2 * math.pi * ((1 + 2 * frequency) * t.view(1, -1, 1) + phase) + shifts)
        yield (0.5 + height) * waves + 0.1 * torch.randn(n, steps, width, generator=generator)


def ragged(seed: int, width: int = 6, n: int = BATCH) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield waves (n, T, width) with zeros after each one's length, and the lengths; T changes with the batch."""
    generator = _generator(seed + 1)
    for waves in sequences(seed, 24, width, n):
        lengths = torch.randint(6, 25, (n,), generator=generator)
        mask = torch.arange(24).view(1, -1, 1) < lengths.view(-1, 1, 1)
        yield (waves * mask)[:, : int(lengths.max())], lengths


def tokens(seed: int, n: int = BATCH) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (n, T) token numbers that count up by a drawn stride, padded with 0, and their lengths."""
    generator = _generator(seed)
    while True:
        lengths = torch.randint(4, 13, (n,), generator=generator)
        start, stride = torch.randint(VOCABULARY - 1, (2, n, 1), generator=generator)
        t = torch.arange(int(lengths.max()))
        counted = (start + (1 + stride % 3) * t) % (VOCABULARY - 1) + 1
        yield torch.where(t < lengths.view(-1, 1), counted, PADDING), lengths


def baskets(seed: int, items: int = 40, n: int = BATCH) -> Iterator[Tensor]:
    """Yield (n, items) of 0 and 1: items that users with three tastes took."""
    generator, tastes = _generator(seed), torch.randn(3, items, generator=_generator(3))
    while True:
        wish = torch.randn(n, 3, generator=generator) @ tastes - 1
        yield torch.bernoulli(torch.sigmoid(2 * wish), generator=generator)


def points(seed: int, n: int = BATCH, count: int = 20) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield places (n, count, 1) and the values there of a drawn function."""
    generator = _generator(seed)
    while True:
        x = 4 * torch.rand(n, count, 1, generator=generator) - 2
        height, shift = torch.randn(2, n, 1, 1, generator=generator)
        yield x, height * torch.sin(2 * x + shift) + 0.05 * torch.randn(n, count, 1, generator=generator)


def graph(seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield always the same graph: features (300, width) and its normalised adjacency."""
    x = next(vectors(seed, n=GRAPH_NODES))
    near = (torch.cdist(x, x) < torch.cdist(x, x).quantile(0.03)).float()
    degree = near.sum(1).rsqrt()
    while True:
        yield x, degree.view(-1, 1) * near * degree
