"""Identity of this process, without a system call at every step."""

from __future__ import annotations

import os

_forks = 0


def _forked() -> None:
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def forks() -> int:
    """Count the forks between the first process and this one: another number means another process."""
    return _forks
