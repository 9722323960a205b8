"""What people use instead, on the same loop; what is not installed is left out.

`pip install wandb delve` brings them. `SummaryWriter` is given the mean representation by the loop and needs no hook;
wandb watches gradients and parameters, as its users have it do; Delve watches the two heads.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from torch import Tensor, nn

from .histograms import Histograms
from .trackers import Delve, WandbWatch


class Peer(Protocol):
    """Something that watches the loop for a block of steps."""

    block: int
    """Steps of a block."""
    seconds: list[float]
    """Of what it does at an interval, as far as it is timed by itself."""

    def on(self) -> None:
        """Watch from here on."""

    def off(self) -> None:
        """Stop watching."""

    def after(self, mean: Tensor) -> bool:
        """A step is over."""


def installed(model: nn.Module, folder: Path, clock: Callable[[], float]) -> dict[str, Peer]:
    """The peers that can be had here, by name; what they write goes to the folder, which stays until the end."""
    peers: dict[str, Peer] = {
        "each": Histograms(folder / "each", True),
        "all": Histograms(folder / "all", False),
    }
    if importlib.util.find_spec("wandb"):
        peers["wandb"] = WandbWatch(model, folder)
    if importlib.util.find_spec("delve"):
        peers["delve"] = Delve(model, folder / "delve", clock)
    return peers


def finish() -> None:
    """End the run of wandb, if there is one."""
    wandb = sys.modules.get("wandb")
    if wandb is not None and wandb.run is not None:
        wandb.run.finish()
