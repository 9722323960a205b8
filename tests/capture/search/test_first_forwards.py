"""A search that has little time goes on in the next steps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from watching import watched

from polar_monitor.capture.search import first_forwards


class Encoder(nn.Module):
    """An encoder that hands on a sample alone: a decoder takes exactly what it gives."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.ModuleList([nn.Linear(16, 24), *(nn.Linear(24, 24) for _ in range(6))])
        self.both = nn.Linear(24, 8)

    def forward(self, x: Tensor) -> Tensor:
        """Return a sample."""
        for layer in self.body:
            x = layer(x).tanh()
        mean, logvar = self.both(x).chunk(2, 1)
        sample: Tensor = mean + logvar.mul(0.5).exp() * torch.randn_like(mean)
        return sample


class Autoencoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.p, self.q = Encoder(), nn.Linear(4, 16)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.q(self.p(x))
        return output


@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_a_sample_is_no_code_however_little_time_there_is(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_forwards, "MAX_SECONDS_OF_A_LOOK", seconds)
    torch.manual_seed(0)
    model, mixing = Autoencoder(), torch.randn(16, 16)
    monitor, optimizer = watched(model, every=10), torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(30):
        x = torch.randn(64, 16) @ mixing
        optimizer.zero_grad()
        (model(x) - x).square().mean().backward()
        optimizer.step()
    assert monitor.explain().startswith("mean from the first half of its last axis of 'p.both'")
