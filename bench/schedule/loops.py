"""A small training at the defaults of `attach`, with steps of a given length."""

import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

import polar_monitor
from polar_monitor.regime.regime import Verdict
from polar_monitor.sinks.jsonl import read_jsonl


class Vae(nn.Module):
    """A small VAE whose step takes about half a millisecond."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.fc_mu, self.fc_logvar = nn.Linear(64, 32), nn.Linear(32, 10), nn.Linear(32, 10)
        self.decoder = nn.Linear(10, 64)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return reconstruction, mean and log-variance."""
        hidden = self.body(x).relu()
        mean, logvar = self.fc_mu(hidden), self.fc_logvar(hidden)
        return self.decoder(mean + torch.randn_like(mean) * (0.5 * logvar).exp()), mean, logvar


def loop(pace: float, seconds: float, max_steps: float) -> str:
    """One training at defaults, as a line of the table."""
    torch.manual_seed(0)
    model = Vae()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    data = torch.randn(20_000, 6) @ torch.randn(6, 64)
    with tempfile.TemporaryDirectory() as folder:
        with polar_monitor.attach(model, log_dir=folder) as monitor:
            rule: Any = monitor._loop.schedule.governor
            steps, beyond = 0, 0.0
            while steps < max_steps and rule.elapsed < seconds:
                begin, own = time.perf_counter(), rule.own
                x = data[torch.randint(0, len(data), (128,))]
                out, mean, logvar = model(x)
                kl = -0.5 * (1 + logvar - mean**2 - logvar.exp()).sum(1).mean()
                optimizer.zero_grad()
                (((out - x) ** 2).sum(1).mean() + kl).backward()
                optimizer.step()
                steps += 1
                beyond = max(beyond, rule.own - 0.01 * rule.elapsed)
                left = pace - (time.perf_counter() - begin - (rule.own - own))
                if left > 0:
                    time.sleep(left)
            own, elapsed = rule.own, rule.elapsed
        records = read_jsonl(Path(folder) / "polar.jsonl")
    told = [record.step for record in records if record.regime and record.regime.verdict != Verdict.NOT_ESTIMABLE]
    return (
        f"| {1000 * elapsed / steps:.1f} ms | {steps} | {len(records)} | {told[0] if told else '-'} | {own:.2f} s | "
        f"{elapsed:.1f} s | {beyond:.2f} s |"
    )
