"""pythae, pyro and torch_geometric: `attach(model)` is all, with the package's own trainer or loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks import is_installed
from torch import Tensor, nn

import polar_monitor

pytestmark = [
    pytest.mark.integrations,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::polar_monitor.PolarMonitorWarning"),
]
OPTIONS: dict[str, Any] = {"sinks": (), "every": 10, "max_overhead": 1.0, "strict": True}


def data(n: int = 1024) -> Tensor:
    draw = torch.Generator().manual_seed(0)
    return (torch.randn(n, 3, generator=draw) @ torch.randn(3, 12, generator=draw)).sigmoid()


@pytest.mark.skipif(not is_installed("pythae"), reason="pythae is not installed")
def test_pythae_with_its_trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model = VAE(VAEConfig(input_dim=(12,), latent_dim=4))
    monitor = polar_monitor.attach(model, **OPTIONS)
    config = BaseTrainerConfig(
        str(tmp_path), num_epochs=3, per_device_train_batch_size=64, learning_rate=1e-3, no_cuda=True
    )
    BaseTrainer(model, BaseDataset(data(), torch.zeros(1024)), training_config=config).train()
    monitor.detach()
    assert monitor.health().steps == 3 * 16
    assert monitor.snapshot().dimensions == 4
    assert monitor.regime() is not None


@pytest.mark.skipif(not is_installed("pyro"), reason="pyro is not installed")
def test_pyro_with_svi() -> None:
    import pyro
    import pyro.distributions as dist
    from pyro.infer import SVI, Trace_ELBO

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.loc, self.scale = nn.Linear(12, 16), nn.Linear(16, 4), nn.Linear(16, 4)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            h = self.body(x).relu()
            return self.loc(h), self.scale(h).exp()

    class Vae(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = Encoder(), nn.Linear(4, 12)

        def model(self, x: Tensor) -> None:
            pyro.module("decoder", self.decoder)
            with pyro.plate("data", len(x)):
                z = pyro.sample("z", dist.Normal(torch.zeros(len(x), 4), 1.0).to_event(1))
                pyro.sample("x", dist.Normal(self.decoder(z), 0.1).to_event(1), obs=x)

        def guide(self, x: Tensor) -> None:
            pyro.module("encoder", self.encoder)
            with pyro.plate("data", len(x)):
                pyro.sample("z", dist.Normal(*self.encoder(x)).to_event(1))

    torch.manual_seed(0)
    pyro.clear_param_store()
    vae = Vae()
    monitor = polar_monitor.attach(vae, **OPTIONS)
    svi = SVI(vae.model, vae.guide, pyro.optim.Adam({"lr": 1e-3}), Trace_ELBO())
    for x in data(64 * 60).split(64):
        svi.step(x)
    monitor.detach()
    assert monitor.snapshot().dimensions == 4
    assert monitor.snapshot().has_variance
    assert "log σ" in monitor.explain() or "'encoder' gives σ" in monitor.explain()


@pytest.mark.skipif(not is_installed("torch_geometric"), reason="torch_geometric is not installed")
def test_torch_geometric_full_batch() -> None:
    from torch_geometric.nn import VGAE, GCNConv

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.conv_mu, self.conv_logstd = GCNConv(12, 16), GCNConv(16, 4), GCNConv(16, 4)

        def forward(self, x: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
            h = self.conv(x, edges).relu()
            return self.conv_mu(h, edges), self.conv_logstd(h, edges)

    torch.manual_seed(0)
    x, edges = data(600), torch.randint(0, 600, (2, 2400))
    model = VGAE(Encoder())
    monitor = polar_monitor.attach(model, **OPTIONS)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        loss = model.recon_loss(model.encode(x, edges), edges) + model.kl_loss() / 600
        loss.backward()
        optimizer.step()
    monitor.detach()
    assert monitor.snapshot().dimensions == 4
    assert "logstd" in monitor.explain()
    assert monitor.regime() is not None
