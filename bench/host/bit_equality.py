"""The same weights, bit for bit, with the monitor and without it: a grid over heads, numbers and compilers.

Each cell trains one model twice, with and without a monitor. "same" has the rows that were recorded; "same, not
recorded" means that nothing is recorded from such compiled code, of which a warning gives the reason.

    python -m bench.host.bit_equality                      # some 15 minutes, for inductor a C++ compiler is needed
    python -m bench.host.bit_equality --heads linear,tanh --numbers bfloat16 --backends inductor
    python -m bench.host.bit_equality --cells cells.json   # goes on where an earlier run with that file has ended
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import polar_monitor

STEPS = 8
NUMBERS = {
    "float32": (torch.float32, None),
    "bfloat16": (torch.bfloat16, None),
    "float16": (torch.float16, None),
    "autocast bfloat16": (torch.float32, torch.bfloat16),
    "autocast float16": (torch.float32, torch.float16),
}
"""Type of the weights, and that of autocast if it is on."""
BACKENDS: dict[str, dict[str, Any] | None] = {
    "eager code": None,
    "eager": {"backend": "eager"},
    "aot_eager": {"backend": "aot_eager"},
    "inductor": {"backend": "inductor"},
    "inductor dynamic": {"backend": "inductor", "dynamic": True},
    "inductor rounding": {"backend": "inductor", "options": {"emulate_precision_casts": True}},
}
"""Arguments of `torch.compile`; the last one rounds as eager code does."""
HEADS = {
    "linear": lambda: nn.Linear(12, 8),
    "tanh": lambda: nn.Sequential(nn.Linear(12, 8), nn.Tanh()),
    "layer norm": lambda: nn.Sequential(nn.Linear(12, 8), nn.LayerNorm(8)),
    "batch norm": lambda: nn.Sequential(nn.Linear(12, 8), nn.BatchNorm1d(8)),
    "hardtanh": lambda: nn.Sequential(nn.Linear(12, 8), nn.Hardtanh(-3, 3)),
    "gelu": lambda: nn.Sequential(nn.Linear(12, 8), nn.GELU()),
}
SHORT = ("linear", "tanh", "batch norm")


class Vae(nn.Module):
    """A VAE whose forward goes on from the mean with operations that a compiler fuses."""

    def __init__(self, head: str) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(12, 12), nn.SiLU())
        self.mu, self.logvar = HEADS[head](), nn.Linear(12, 8)
        self.decoder = nn.Sequential(nn.Linear(8, 12), nn.Tanh(), nn.Linear(12, 12))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the reconstruction and the KL divergence."""
        h = self.body(x)
        mean, logvar = self.mu(h), self.logvar(h)
        z = torch.sin(3 * mean) + (0.5 * logvar).exp() * 0.1
        return self.decoder(z), 0.5 * (mean.square() + logvar.exp() - logvar - 1).sum(1).mean()


def trained(head: str, numbers: str, backend: str, monitored: bool) -> tuple[Tensor, int]:
    """Return the weights after some steps, and the rows that the monitor has seen."""
    torch._dynamo.reset()
    torch.manual_seed(0)
    dtype, autocast = NUMBERS[numbers]
    model, options = Vae(head).to(dtype), BACKENDS[backend]
    monitor = None
    if monitored:
        monitor = polar_monitor.attach(model, mean="mu", logvar="logvar", sinks=(), every=3, max_overhead=1.0)
    forward = model if options is None else torch.compile(model, **options)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for step in range(STEPS):
        x = torch.randn(64 if "dynamic" not in backend else 40 + 8 * step, 12).to(dtype)
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=autocast or torch.bfloat16, enabled=autocast is not None):
            reconstruction, divergence = forward(x)
        ((reconstruction - x).float().square().mean() + 0.1 * divergence.float()).backward()
        optimizer.step()
    rows = 0
    if monitor is not None:
        monitor.detach()
        rows = monitor.health().rows_seen
    return torch.cat([parameter.detach().float().flatten() for parameter in model.parameters()]), rows


def cell(head: str, numbers: str, backend: str) -> str:
    """Return the text of one cell: the comparison of two trainings, or why there is none."""
    try:
        without, _ = trained(head, numbers, backend, monitored=False)
    except Exception as failure:  # a type that this machine or this torch cannot compute with
        return f"not supported ({type(failure).__name__})"
    weights, rows = trained(head, numbers, backend, monitored=True)
    if not torch.equal(without.nan_to_num(), weights.nan_to_num()):
        return f"DIFFERENT by {float((without - weights).abs().max()):.2g}"
    return f"same ({rows})" if rows else "same, not recorded"


class Cells:
    """Texts of the cells, kept in a file if there is one."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._texts: dict[str, str] = json.loads(file.read_text()) if file is not None and file.exists() else {}

    def text(self, head: str, numbers: str, backend: str) -> str:
        """Return the text of a cell of an earlier run, or train for it."""
        name = f"{head}, {numbers}, {backend}"
        if name not in self._texts:
            self._texts[name] = cell(head, numbers, backend)
            if self._file is not None:
                self._file.write_text(json.dumps(self._texts, indent=0))
        return self._texts[name]


def main() -> int:
    """Print the grid; the exit status is 1 if a cell is different."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", default=",".join(SHORT), help=f"of {', '.join(HEADS)}")
    parser.add_argument("--numbers", default=",".join(NUMBERS), help=f"of {', '.join(NUMBERS)}")
    parser.add_argument("--backends", default=",".join(BACKENDS), help=f"of {', '.join(BACKENDS)}")
    parser.add_argument("--cells", type=Path, help="file that keeps the cells, for a run that goes on later")
    chosen = parser.parse_args()
    heads, numbers, backends = (text.split(",") for text in (chosen.heads, chosen.numbers, chosen.backends))
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    different, results = 0, Cells(chosen.cells)
    print("| head | numbers |", " | ".join(backends), "|\n| --- | --- |", "--- | " * len(backends), flush=True)
    for head in heads:
        for kind in numbers:
            cells = [results.text(head, kind, backend) for backend in backends]
            different += sum(text.startswith("DIFFERENT") for text in cells)
            print(f"| {head} | {kind} |", " | ".join(cells), "|", flush=True)
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
