"""The layout that the layers of a module suggest, and the shapes that correct it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from polar_monitor.discovery.layout import layout_of, suggested_layout


class Wrapped(nn.Module):
    """A module with a forward of its own around some layers."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.inner = nn.ModuleList(layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.inner:
            x = layer(x)
        return x


@pytest.mark.parametrize(
    ("module", "layout"),
    [
        (Wrapped(nn.Linear(4, 4), Wrapped(nn.ReLU(), nn.Conv1d(4, 3, 1)), nn.Tanh()), "nd..."),
        (Wrapped(nn.Conv2d(4, 3, 1), nn.GroupNorm(1, 3), nn.SiLU()), "nd..."),
        (Wrapped(nn.Conv1d(4, 3, 1), nn.AdaptiveAvgPool1d(2)), "nd..."),
        (Wrapped(nn.Conv1d(4, 3, 1), nn.LayerNorm(3)), "n...d"),
        (Wrapped(nn.GRU(4, 4), nn.Linear(4, 3)), "...nd"),
        (Wrapped(nn.GRU(4, 4, batch_first=True), nn.Linear(4, 3)), "n...d"),
        (nn.TransformerEncoderLayer(4, 1, 8), "...nd"),
        (nn.TransformerEncoderLayer(4, 1, 8, batch_first=True), "n...d"),
        (nn.LSTM(4, 3), "...nd"),
        (nn.Identity(), None),
    ],
    ids=range(10),
)
def test_the_last_layer_inside_decides(module: nn.Module, layout: str | None) -> None:
    assert suggested_layout(module) == layout


@pytest.mark.parametrize("batch_first", [False, True])
def test_the_recurrent_layer_before_a_head_decides(batch_first: bool) -> None:
    decoder = nn.GRU(3, 4, batch_first=not batch_first)
    encoder = nn.ModuleDict({"rnn": nn.LSTM(4, 4, batch_first=batch_first)})
    model = nn.ModuleDict({"encoder": encoder, "heads": nn.ModuleDict({"mu": nn.Linear(4, 3)}), "decoder": decoder})
    assert suggested_layout(model["heads"]["mu"], model) == ("n...d" if batch_first else "...nd")
    assert suggested_layout(nn.Conv1d(4, 3, 1), model) == "nd..."


def test_shapes_correct_what_the_layers_suggest() -> None:
    head = Wrapped(nn.Linear(4, 3))
    assert layout_of([(16, 40, 3)], 3, head) == "ntd"
    assert layout_of([(16, 3, 40), (16, 3, 31)], None, head) == "ndt"
    assert layout_of([(40, 16, 3)], 3, head, [16]) == "tnd"
