"""Several runs together: their logs are read as far as they are new, and their documents share one size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import PolarMonitorError
from .document import documents, problem
from .find_logs import titles
from .log import RunLog

FULL_DOCUMENTS = 3
"""Documents that have all their numbers; of more, each has fewer."""


class RunSet:
    """Logs that may still be written, and the documents of all of them."""

    def __init__(self) -> None:
        self._logs: dict[Path, RunLog] = {}
        self._failures: dict[Path, str] = {}

    def refresh(self, paths: Sequence[Path]) -> str:
        """Read what is new in these logs, and return a text that changes whenever one of them does.

        A log that cannot be read is a document that says why.
        """
        self._logs = {path: self._logs.get(path) or RunLog(path) for path in dict.fromkeys(paths)}
        self._failures = {}
        for path, log in self._logs.items():
            try:
                log.refresh()
            except PolarMonitorError as error:
                self._failures[path] = str(error)
        states = (f"{path}:{log.size}:{log.line}:{path in self._failures}" for path, log in self._logs.items())
        return "|".join(states)

    def documents(self) -> list[dict[str, Any]]:
        """Return the documents of all logs, those without numbers last."""
        shown = sum(max(len(log.courses), 1) for log in self._logs.values())
        runs: list[dict[str, Any]] = []
        for title, (path, log) in zip(titles(list(self._logs)), self._logs.items(), strict=True):
            if path in self._failures:
                runs.append(problem(title, str(path), self._failures[path]))
            else:
                runs += documents(log, title, min(1.0, FULL_DOCUMENTS / shown))
        return sorted(runs, key=lambda run: bool(run["problem"]))
