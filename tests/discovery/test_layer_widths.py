"""Widths of modules, read off their layers: certain, guessed or unknown."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from polar_monitor.discovery.layer_widths import input_width, likely_dimensions, output_width
from polar_monitor.discovery.layout import suggested_layout


class Own(nn.Module):
    """A forward of its own, so that its type fixes no width."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.one, self.two = nn.Linear(12, 16), nn.Linear(16, 4), nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h = self.body(x)
        return self.one(h), self.two(h)


@pytest.mark.parametrize(
    ("module", "given", "taken", "layout"),
    [
        (nn.Linear(5, 3), 3, 5, "n...d"),
        (nn.Conv2d(5, 3, 1), 3, 5, "nd..."),
        (nn.ConvTranspose1d(5, 3, 1), 3, 5, "nd..."),
        (nn.Sequential(nn.ReLU(), nn.Linear(5, 3), nn.BatchNorm1d(3), nn.Tanh()), 3, 5, "nd..."),
        (nn.Sequential(nn.Linear(5, 3), nn.Sequential(nn.Linear(3, 2), nn.Dropout())), 2, 5, "n...d"),
        (nn.Sequential(nn.Linear(5, 6), nn.GLU()), None, 5, "n...d"),
        (nn.Sequential(nn.Unflatten(1, (5, 4, 4)), nn.Conv2d(5, 3, 1)), 3, 80, "nd..."),
        (nn.Sequential(nn.Conv2d(5, 3, 1), nn.Flatten()), None, 5, "nd..."),
        (Own(), None, 12, "n...d"),
        (nn.ReLU(), None, None, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else str(value),
)
def test_widths(module: nn.Module, given: int | None, taken: int | None, layout: str | None) -> None:
    assert (output_width(module), input_width(module)) == (given, taken)
    assert suggested_layout(module) == layout


def test_a_guess_of_the_dimensions() -> None:
    assert likely_dimensions(Own(), halves=True) == 4  # two layers of width D
    assert likely_dimensions(nn.Sequential(nn.Linear(12, 16), nn.Linear(16, 8)), halves=True) == 4  # one of width 2 D
    assert likely_dimensions(Own(), halves=False) == 4
    assert likely_dimensions(nn.ReLU(), halves=False) is None
