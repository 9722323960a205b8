"""Libraries that watch a model by hooks, switched on and off: wandb and Delve."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor, nn

LOG_FREQ = 100
"""Steps between two records of wandb; people call `add_histogram` as often."""


class WandbWatch:
    """`wandb.watch(model, log="all", log_freq=100)` of an offline run, whose record is committed every 100 steps."""

    block = LOG_FREQ

    def __init__(self, model: nn.Module, folder: Path) -> None:
        import wandb

        os.environ["WANDB_SILENT"] = "true"
        self.model = model
        self.run = wandb.init(
            mode="offline", dir=folder, project="toll", settings=wandb.Settings(console="off"), reinit="return_previous"
        )
        self.seconds: list[float] = []
        self._steps = 0

    def on(self) -> None:
        """Put the hooks on."""
        self.run.watch(self.model, log="all", log_freq=LOG_FREQ)

    def off(self) -> None:
        """Take them off."""
        self.run.unwatch(self.model)

    def after(self, mean: Tensor) -> bool:
        """Commit what the hooks have logged."""
        self._steps += 1
        if self._steps % LOG_FREQ == 0:
            self.run.log({"step": self._steps})
        return False


class Delve:
    """`delve.SaturationTracker` of the two heads: a covariance every step, its spectrum to a CSV once a block."""

    block = 10

    def __init__(self, model: nn.Module, folder: Path, clock: Callable[[], float]) -> None:
        from delve import SaturationTracker

        logging.getLogger("delve.logger").setLevel(logging.WARNING)
        self._clock = clock

        def heads(layers: dict[str, Any]) -> dict[str, Any]:
            return {name: layer for name, layer in layers.items() if name in ("fc_mu", "fc_logvar")}

        before = {module: set(module._forward_hooks) for module in model.modules()}
        self.tracker = SaturationTracker(str(folder), "csv", model, layer_filter=heads, device="cpu")
        self._hooks: list[tuple[nn.Module, int, Any]] = [
            (module, key, module._forward_hooks[key])
            for module, keys in before.items()
            for key in module._forward_hooks.keys() - keys
        ]
        self.seconds: list[float] = []
        self._steps = 0
        self.off()

    def on(self) -> None:
        """Put its hooks back."""
        for module, key, hook in self._hooks:
            module._forward_hooks[key] = hook

    def off(self) -> None:
        """Take its hooks off, for which it has no call."""
        for module, key, _ in self._hooks:
            module._forward_hooks.pop(key, None)

    def after(self, mean: Tensor) -> bool:
        """Compute and save at the last step of a block, timed by itself."""
        self._steps += 1
        if self._steps % self.block:
            return False
        begin = self._clock()
        self.tracker.add_saturations()
        self.seconds.append(self._clock() - begin)
        return True
