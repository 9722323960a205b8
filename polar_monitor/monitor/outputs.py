"""Outputs of a monitor: the sinks it was given, or TensorBoard and JSONL in one folder."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from .._torch_compat import rank
from ..errors import PolarMonitorError
from ..sinks import Sink
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

    def __init__(self, log_dir: Any, sinks: Any, *, name: str, strict: bool) -> None:
        self._log_dir, self._sinks = checked_output(log_dir, sinks)
        self._name = name
        self.folder: Path | None = None
        """Folder of the default sinks; None without them."""
        self._opened = False
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
            sinks = (*defaults, *sinks)
        self.group.sinks = sinks
        self.group.begin(self._name, setup)

    def release(self) -> None:
        """Drop the user's sinks, which may hold the model."""
        self._log_dir, self._sinks = None, ()

    def _check_folder(self, owner: Writer, replaced: Writer | None) -> None:
        """Refuse a folder in which another monitor of this name writes: their records would be mixed."""
        if self._log_dir is None:
            return
        other = _writers.get((os.path.realpath(self._log_dir), self._name))
        if other is not None and other not in (owner, replaced) and other.attached:
            raise PolarMonitorError(
                f"log_dir: another monitor{f' {self._name!r}' if self._name else ''} writes to "
                f"{os.fspath(self._log_dir)!r}: pass another name=… or another folder"
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
