"""Lightning: a callback for `lightning` and `pytorch_lightning`, and for what trains by them, such as scvi-tools.

>>> from polar_monitor.integrations.lightning import PolarCallback
>>> trainer = Trainer(callbacks=[PolarCallback()])  # doctest: +SKIP
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import sys
from contextlib import ExitStack
from typing import Any

from ..capture.hooks import muted
from ..errors import PolarMonitorError
from ..monitor.outputs import checked_output
from ..sinks.tensorboard.sink import default_log_dir
from ._adapter import Adapter
from ._warmup import has_warmup, kl_weight, warmup_steps
from .trackers import LoggerSink

PACKAGES = {"lightning": "lightning.pytorch", "pytorch_lightning": "pytorch_lightning"}
"""Module with `Callback` of each package. The two classes differ, and a trainer may refuse the other's."""


class PolarCallback(Adapter):
    """Watches the latent of the module that a trainer fits. The arguments are those of `polar_monitor.attach`.

    The trainer's loggers get our scalars, and the folder of the first logger with a folder gets the TensorBoard events
    and the JSONL log. Forwards of the sanity check are not recorded. The state is part of Lightning's checkpoints. The
    trainer stops when `monitor.should_stop` is true. Several processes are merged after the batches in which that is
    due, and stop together. Before the end of a KL warm-up of scvi-tools only NON_FINITE and SILENT are raised. The
    monitor is `monitor`, also after the fit.
    """

    _sanity: ExitStack | None = None

    def __new__(cls, **_: Any) -> Any:
        """Return a callback of every Lightning package that the program has imported."""
        return super().__new__(cls if packages_of(cls) else _with_bases(cls, _callbacks()))  # type: ignore[arg-type]

    def __reduce__(self) -> Any:
        return functools.partial(type(self).__mro__[1], **self.arguments), (), {"_state": self.state_dict()}

    @property
    def state_key(self) -> str:
        """Name of the state in a checkpoint; callbacks with different names have different ones."""
        return ".".join(part for part in ("polar_monitor", self.arguments.get("name")) if part)

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Refuse a trainer of a package that was imported after this callback was made."""
        theirs, mine = packages_of(type(trainer), "Trainer"), packages_of(type(self))
        if theirs and not set(theirs) & set(mine):
            raise PolarMonitorError(
                f"PolarCallback: expected a Trainer of {mine[0]}, got one of {theirs[0]}: make the callback after "
                f"`import {theirs[0]}`"
            )

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Attach before the first forward, unless there is a warm-up whose length is not known yet."""
        if not has_warmup(pl_module):
            self._attach(trainer, pl_module)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Attach to a module with a KL warm-up, now that the steps of an epoch are known."""
        if has_warmup(pl_module):
            self._attach(trainer, pl_module, warmup=self.arguments.get("warmup", warmup_steps(pl_module, trainer)))

    def _attach(self, trainer: Any, pl_module: Any, **changes: Any) -> None:
        loggers = tuple(trainer.loggers)
        folder, sinks = checked_output(self.arguments.get("log_dir"), self.arguments.get("sinks"))
        if sinks is None:
            folder = folder or next(filter(None, map(_folder, loggers)), None) or default_log_dir()
            loggers = tuple(one for one in loggers if not (_is_board(one) and _folder(one) == folder))
        self.start(pl_module, **changes, log_dir=folder, sinks=(*(sinks or ()), LoggerSink(loggers)))

    def on_sanity_check_start(self, trainer: Any, pl_module: Any) -> None:
        """Stop to record."""
        self._sanity = ExitStack()
        self._sanity.enter_context(muted(pl_module))

    def on_sanity_check_end(self, trainer: Any, pl_module: Any) -> None:
        """Record again."""
        if self._sanity is not None:
            self._sanity.close()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Log the weight of the KL term while it is warmed up; merge ranks and stop the trainer where that is due."""
        if self.monitor is not None and has_warmup(pl_module):
            self.monitor.log(beta=kl_weight(pl_module))
        if self.stops(trainer.world_size, lambda stop: trainer.strategy.reduce_boolean_decision(stop, all=False)):
            trainer.should_stop = True

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        """Detach."""
        self.finish(trainer.world_size)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Detach: there will be no end of the fit."""
        self.end()


def packages_of(kind: type, name: str = "Callback") -> list[str]:
    """Return the packages of the classes of this name that a class inherits from."""
    return [base.__module__.split(".")[0] for base in kind.__mro__ if base.__name__ == name]


def _callbacks() -> tuple[type, ...]:
    """Return `Callback` of the imported packages, or of the first one that is installed."""
    loaded = [name for name in PACKAGES if PACKAGES[name] in sys.modules]
    installed = [name for name in PACKAGES if importlib.util.find_spec(name)]
    if not installed:
        raise ImportError("PolarCallback needs Lightning: pip install lightning")
    return tuple(importlib.import_module(PACKAGES[name]).Callback for name in loaded or installed[:1])


@functools.cache
def _with_bases(kind: type, bases: tuple[type, ...]) -> type:
    return type(kind.__name__, (kind, *bases), {"__module__": kind.__module__, "__doc__": kind.__doc__})


def _folder(logger: Any) -> Any:
    folder = getattr(logger, "log_dir", None)
    return folder if isinstance(folder, str | os.PathLike) else None


def _is_board(logger: Any) -> bool:
    """Return True for a logger that writes TensorBoard events: its folder has ours already."""
    return any(base.__name__ == "TensorBoardLogger" for base in type(logger).__mro__)
