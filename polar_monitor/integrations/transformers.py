"""Hugging Face Trainer: a callback, with its own events and log in the folder of the run.

`Trainer(model, arguments, callbacks=[PolarCallback()], …)` is all.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from ._adapter import Adapter

try:
    from transformers import TrainerCallback
except ImportError as missing:
    raise ImportError("PolarCallback needs transformers: pip install transformers accelerate") from missing

FOLDER, STATE = os.path.join("runs", "polar_monitor"), "polar_monitor.pt"
"""Folder of events and log below `output_dir`, unless `log_dir` or `sinks` is given, and the state in a checkpoint."""


class PolarCallback(Adapter, TrainerCallback):  # type: ignore[misc]
    """Watches the latent of the model that a Trainer trains. The arguments are those of `polar_monitor.attach`.

    Steps are those of the optimiser, so gradients may be accumulated. The state lies in the Trainer's checkpoints, and
    `train(resume_from_checkpoint=…)` goes on from it if the checkpoint is one of `output_dir`. The Trainer stops when
    `monitor.should_stop` is true. Several processes are merged by `monitor.sync(due=True)` after each step, and stop
    together. `monitor` is the monitor, also after the training.
    """

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Attach, with the state of the checkpoint that the training goes on from."""
        saved = _checkpoint(args, state) / STATE
        if state.global_step and saved.exists():
            self.load_state_dict(torch.load(saved, weights_only=True))
        given = {name for name in ("log_dir", "sinks") if self.arguments.get(name) is not None}
        self.start(model, **({} if given else {"log_dir": os.path.join(args.output_dir, FOLDER)}))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Merge ranks, and stop the Trainer, where that is due."""
        if self.stops(args.world_size, lambda stop: _on_any_rank(stop, args.device)):
            control.should_training_stop = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Save the state into the checkpoint that was just written."""
        folder = _checkpoint(args, state)
        if state.is_world_process_zero and folder.is_dir():
            torch.save(self.state_dict(), folder / STATE)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Detach."""
        self.finish(args.world_size)


def _on_any_rank(stop: bool, device: torch.device) -> bool:
    from accelerate.utils import reduce

    return bool(reduce(torch.tensor(float(stop), device=device), "sum"))


def _checkpoint(args: Any, state: Any) -> Path:
    return Path(args.output_dir) / f"checkpoint-{state.global_step}"
