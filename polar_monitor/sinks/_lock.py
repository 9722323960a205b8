"""The lock of a log: one process writes to it, and the lock ends with that process, however it ends."""

from __future__ import annotations

import os
import weakref
from pathlib import Path

try:
    import fcntl
except ImportError:  # as on Windows, where nothing is locked
    fcntl = None  # type: ignore[assignment]


class LogLock:
    """Lock that all sinks of a process share which write to one file; it is released with the last of them."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor, self.process = descriptor, os.getpid()
        self._release = weakref.finalize(self, os.close, descriptor)

    def close(self) -> None:
        """Close this process's copy of the descriptor; in a forked child the parent's lock stays."""
        self._release()


_held: weakref.WeakValueDictionary[tuple[int, int], LogLock] = weakref.WeakValueDictionary()
"""Locks of this process, by device and inode."""


def lock_of(path: Path) -> LogLock | None:
    """Return the lock of an existing file, or None if another process has it. Raises OSError if it cannot be opened.

    A file system that has no locks gives one to everybody.
    """
    descriptor = os.open(path, os.O_RDWR)
    status = os.fstat(descriptor)
    key = status.st_dev, status.st_ino
    held = _held.get(key)
    if held is not None:
        os.close(descriptor)
        return held
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        pass
    _held[key] = lock = LogLock(descriptor)
    return lock


def _forked() -> None:
    """Forget the locks of the parent, so that they end with it."""
    for lock in tuple(_held.values()):
        lock.close()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
