"""Promise 1: training is the same bit for bit with the monitor, its labels, alerts and sinks, and without it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models import Autoencoder, ConvVae, TransformerVae, Vae, vae_loss
from torch import nn
from watching import left_behind, same, watched

from polar_monitor import Alert

STEPS = 200


@pytest.fixture(autouse=True)
def _fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def dropped() -> nn.Module:
    return Vae(dropout=0.3)


def trained(build: Any, log_dir: Path | None, backend: str | None, calls: list[Alert]) -> dict[str, Any]:
    """All that a run leaves behind after its steps, one of them with inputs that raise an alert."""
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(3)
    torch._dynamo.reset()
    model = build()
    monitor = None
    if log_dir is not None:
        monitor = watched(model, sinks=None, log_dir=log_dir, every=20, modes=("train", "eval"), on_alert=calls.append)
    forward = model if backend is None else torch.compile(model, backend=backend)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for step in range(STEPS):
        x = torch.randn(32, *getattr(model, "inputs", (12,)))
        if step % 50 == 49:
            model.eval()
            with torch.no_grad():
                forward(x)
            model.train()
        optimizer.zero_grad()
        output = forward(x)
        loss = vae_loss(output, x) if isinstance(output, tuple) else (output - x).square().mean()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        model(torch.full_like(x, torch.nan))  # so that an alert goes through all it can go through
    if monitor is not None:
        monitor.evaluate()
        assert monitor.health().rows_seen > 32 * STEPS
        assert monitor.regime() is not None
        monitor.detach()
    return left_behind(model, optimizer)


@pytest.mark.parametrize(
    ("build", "backend"),
    [
        (dropped, None),
        (Autoencoder, None),
        (ConvVae, None),
        (TransformerVae, None),
        (dropped, "aot_eager"),
        (ConvVae, "aot_eager"),
        pytest.param(TransformerVae, "aot_eager", marks=pytest.mark.slow),
        pytest.param(dropped, "inductor", marks=pytest.mark.slow),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_training_is_the_same_bit_for_bit(build: Any, backend: str | None, tmp_path: Path) -> None:
    alerts: list[Alert] = []
    without, with_monitor = trained(build, None, backend, alerts), trained(build, tmp_path, backend, alerts)
    for part in without:
        assert same(without[part], with_monitor[part]), part
    assert "non_finite" in [str(alert.kind) for alert in alerts]
    assert (tmp_path / "polar.jsonl").stat().st_size > 0
    assert list(tmp_path.glob("events.out.tfevents.*"))


class PointwiseVae(Vae):
    """Heads that end in what a compiler fuses with the operations after them."""

    def __init__(self) -> None:
        super().__init__()
        self.fc_mu = nn.Sequential(nn.Linear(16, 4), nn.Tanh())  # type: ignore[assignment]
        self.fc_logvar = nn.Sequential(nn.Linear(16, 4), nn.Hardtanh(-6, 2))  # type: ignore[assignment]


@pytest.mark.parametrize("build", [Vae, PointwiseVae])
@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("backend", [None, "aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::polar_monitor.PolarMonitorWarning")
def test_training_in_low_precision_is_the_same(build: Any, autocast: bool, backend: str | None) -> None:
    """With inductor a latent that is not stored anyway would be rounded by its recording; that one is left out."""
    left, rows = [], 0
    for monitored in (False, True):
        torch._dynamo.reset()
        torch.manual_seed(0)
        model = build() if autocast else build().bfloat16()
        options = {"mean": "fc_mu", "logvar": "fc_logvar", "every": 5}
        monitor = watched(model, **options) if monitored else None
        forward = model if backend is None else torch.compile(model, backend=backend)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for _ in range(15):
            x = torch.randn(64, 12, dtype=torch.float32 if autocast else torch.bfloat16)
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
                reconstruction, mean, logvar = forward(x)
            (
                torch.sin(3 * mean).float().mean() + (reconstruction - x).float().square().mean() + logvar.mean()
            ).backward()
            optimizer.step()
        if monitor is not None:
            monitor.detach()
            rows = monitor.health().rows_seen
        left.append(left_behind(model, optimizer))
    assert same(*left)
    assert rows == (0 if backend == "inductor" and build is PointwiseVae else 15 * 64)
