"""Finds the logs below the folders that TensorBoard shows, not more often than needed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from ..views.find_logs import LOG, natural_order

SECONDS_BETWEEN = 5.0
"""Seconds for which the list of logs is kept: walking a large folder takes time."""
MAX_LOGS = 60
"""Logs that are shown, the newest."""


class LogFinder:
    """The newest logs below some folders."""

    def __init__(self, logdir: str | None, logdir_spec: str | None = "") -> None:
        self.folders = _folders(logdir, logdir_spec)
        self._newest: list[Path] = []
        self._next = 0.0

    def has(self, run: str) -> bool:
        """Return True if a run of TensorBoard has its log on this machine."""
        return any(os.path.isfile(os.path.join(folder, run, LOG)) for folder in self.folders)

    def find(self) -> list[Path]:
        """Return the logs, by name."""
        if time.monotonic() >= self._next:
            logs = [Path(root, LOG) for folder in self.folders for root in _folders_with_log(folder)]
            newest = sorted(logs, key=_changed, reverse=True)[:MAX_LOGS]
            self._newest = sorted(newest, key=natural_order)
            self._next = time.monotonic() + SECONDS_BETWEEN
        return self._newest


def _folders(logdir: str | None, spec: str | None) -> list[str]:
    """Return the folders of `--logdir`, or of `--logdir_spec` (name:folder,…)."""
    if logdir:
        return [logdir]
    parts = [part for part in (spec or "").split(",") if part]
    return [part.split(":", 1)[1] if ":" in part and not part.startswith("/") else part for part in parts]


def _folders_with_log(top: str) -> Iterator[str]:
    """Yield the folders below one that have a log. Links are followed, as TensorBoard does, but no folder twice."""
    seen: set[str] = set()
    for root, folders, names in os.walk(top, followlinks=True):
        place = os.path.realpath(root)
        if place in seen:
            folders.clear()
            continue
        seen.add(place)
        if LOG in names:
            yield root


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
