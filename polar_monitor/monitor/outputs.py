"""Outputs of a monitor: the sinks it was given, or TensorBoard and JSONL in one folder."""

from __future__ import annotations

import gc
import os
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from .._torch_compat import rank
from ..errors import PolarMonitorError, warn
from ..sinks import Sink
from ..sinks.console.plain import console
from ..sinks.group import SinkGroup
from ..sinks.jsonl import JsonlSink
from ..sinks.tensorboard.sink import LOG, TensorBoardSink
from ..statistics.precompile import compile_kernels

Folder = str | os.PathLike[str] | None


class Writer(Protocol):
    """Monitor that writes to a folder."""

    @property
    def attached(self) -> bool:
        """True while it watches a model."""


_writers: weakref.WeakValueDictionary[tuple[str, str], Writer] = weakref.WeakValueDictionary()
"""Monitors by the folder that they write to, and their name."""


class Outputs:
    """Sinks of one monitor. They open at `attach` or at the first `observe`, when everything else is checked."""

    def __init__(self, log_dir: Any, sinks: Any, *, console: bool, name: str, strict: bool) -> None:
        self._log_dir, self._sinks = checked_output(log_dir, sinks)
        self._console = console
        self._name = name
        self.folder: Path | None = None
        """Folder of the default sinks; None without them."""
        self._opened = False
        self._defaults: tuple[Sink, ...] = ()
        """Sinks of the folder, until it is known that this process may write there."""
        self._setup: dict[str, Any] = {}
        self.group = SinkGroup(())
        self.group.strict = strict

    def open(self, owner: Writer, replaced: Writer | None, setup: dict[str, Any]) -> None:
        """Open the sinks and compile the kernels, before the first row: both may fail or take time. Once only.

        Only rank 0 has sinks: other ranks measure their share of the data and write nothing. `setup` is written to a
        log, so that it can be replayed. Raises PolarMonitorError for a folder that cannot be written to, or that
        another monitor of the same name uses, unless that one is `replaced`.
        """
        if self._opened:
            return
        if rank() == 0:
            self._open_sinks(owner, replaced, setup)
        compile_kernels()
        self._opened = True

    def _open_sinks(self, owner: Writer, replaced: Writer | None, setup: dict[str, Any]) -> None:
        sinks = tuple(self._sinks or ())
        if self._sinks is None or self._log_dir is not None:
            self._check_folder(owner, replaced)
            self.folder, defaults = default_sinks(self._log_dir)
            if self._log_dir is not None:
                _writers[os.path.realpath(self._log_dir), self._name] = owner
            sinks, self._defaults, self._setup = (*defaults, *sinks), defaults, setup
        if self._console:
            sinks = (*sinks, console())
        self.group.sinks = sinks
        self.group.before_write = self._before_write
        self.group.begin(self._name, setup)

    def _before_write(self) -> None:
        """Stop to write in a process that is another rank by now; take the folder, or another one if it is taken."""
        if rank() != 0:
            self.group.close()
            self.group.sinks, self._defaults, self.folder = (), (), None
        elif self._defaults:
            log = self._defaults[-1]
            if self.folder is not None and isinstance(log, JsonlSink) and not log.claim():
                self._move(self.folder)
            self._defaults = ()

    def _move(self, taken: Path) -> None:
        """Write to a folder beside the one that another process writes to."""
        numbered = (taken.with_name(f"{taken.name}_{number}") for number in range(1, 10**6))
        folder = next(path for path in numbered if not path.exists())
        self.folder, moved = default_sinks(folder)
        others = tuple(sink for sink in self.group.sinks if sink not in self._defaults)
        for sink in self._defaults:
            sink.close()
        self.group.sinks = moved
        self.group.begin(self._name, self._setup)
        self.group.sinks = (*moved, *others)
        warn(
            f"another process writes to {str(taken)!r}, so this run is written to {str(folder)!r}; pass a log_dir= of "
            "its own"
        )

    def release(self) -> None:
        """Drop the user's sinks, which may hold the model."""
        self._log_dir, self._sinks = None, ()

    def _check_folder(self, owner: Writer, replaced: Writer | None) -> None:
        """Refuse a folder in which another monitor of this name writes: their records would be mixed."""
        if self._log_dir is None:
            return
        key = os.path.realpath(self._log_dir), self._name
        if _writers.get(key) not in (None, owner, replaced):
            gc.collect()  # a model that is gone may wait for it
        other = _writers.get(key)
        if other is not None and other not in (owner, replaced) and other.attached:
            raise PolarMonitorError(
                f"log_dir: another monitor{f' {self._name!r}' if self._name else ''} writes to "
                f"{os.fspath(self._log_dir)!r}, and its model is still there: call detach() of that monitor first, or "
                "pass another name=… or another folder"
            )


def close_in(process: int, sinks: SinkGroup) -> None:
    """Close the sinks, but not in a fork of the process that opened them."""
    if os.getpid() == process:
        sinks.close()


def default_sinks(log_dir: Folder) -> tuple[Path, tuple[Sink, ...]]:
    """Return the folder and its two sinks; None is the folder of `SummaryWriter`. Raises PolarMonitorError."""
    board = TensorBoardSink(log_dir)
    folder = Path(board.log_dir)
    return folder, (board, JsonlSink(folder / LOG))


def checked_output(log_dir: Any, sinks: Any) -> tuple[Folder, tuple[Sink, ...] | None]:
    """Return the folder and the sinks. Raises PolarMonitorError for anything that is none."""
    if log_dir is not None and not isinstance(log_dir, str | os.PathLike):
        raise PolarMonitorError(f"log_dir: expected the name of a folder, got {log_dir!r}")
    if sinks is None:
        return log_dir, None
    chosen = tuple(sinks) if isinstance(sinks, Iterable) and not isinstance(sinks, str) else (sinks,)
    for sink in chosen:
        lacking = [verb for verb in ("write", "flush", "close") if not callable(getattr(sink, verb, None))]
        if lacking or isinstance(sink, str | bytes):
            raise PolarMonitorError(
                f"sinks: expected a list of objects with write(evaluation), flush() and close(), got {sink!r}"
            )
    return log_dir, chosen
