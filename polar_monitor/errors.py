"""Errors, warnings and log lines that reach the user, and the one place for "warn once".

The user's code is called on the way: filters, handlers, hooks of warnings, the text of an exception. From inside
training nothing of what it raises may get out, so all of our warnings and log lines pass through here.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Hashable
from unicodedata import category

_log = logging.getLogger("polar_monitor")


class PolarMonitorError(ValueError):
    """An argument or a state that cannot be used: the message says what was expected, what was found, what to write.

    What was found may come from a foreign file, so the message is made `printable`.
    """

    def __init__(self, *arguments: object) -> None:
        super().__init__(*(printable(one) if isinstance(one, str) else one for one in arguments))


class UndecidedError(PolarMonitorError):
    """The names of a model's modules leave a choice, or say nothing; the data of its forwards may decide."""


class PolarMonitorWarning(UserWarning):
    """Something the user should know that does not stop the training."""


class CollapseError(RuntimeError):
    """No informative dimension is left. Only `PolarMonitor.raise_on_collapse` raises it."""


def warn(message: str, depth: int = 1) -> None:
    """Warn from inside training, as the user's filters say; a filter that makes it an error has it logged instead.

    `depth` is the number of our functions between this one and the line that the warning is about.
    """
    text = f"polar_monitor: {printable(message)}"
    try:
        warnings.warn(text, PolarMonitorWarning, stacklevel=depth + 1)
    except Exception:
        log_line(logging.WARNING, "%s", text)


def log_line(level: int, message: str, *arguments: object) -> Exception | None:
    """Log a message. What a handler or filter of the user's raises is returned, and the message goes to stderr."""
    arguments = tuple(printable(one) if isinstance(one, str) else one for one in arguments)
    try:
        _log.log(level, message, *arguments)
    except Exception as failure:
        with contextlib.suppress(Exception):
            print(f"polar_monitor: logging failed ({describe(failure)}): {message % arguments}", file=sys.stderr)
        return failure
    return None


def announce(message: str) -> None:
    """Log a line as information; where no handler and no level of logging is set, show it on stderr.

    Python does that with warnings by itself. `logging.getLogger("polar_monitor").setLevel("WARNING")` hides the line.
    """
    log_line(logging.INFO, "%s", message)
    with contextlib.suppress(Exception):
        unset = _log.level == logging.NOTSET and not _log.hasHandlers() and _log.isEnabledFor(logging.WARNING)
        if unset and logging.lastResort is not None and sys.stderr is not None:
            print(printable(message), file=sys.stderr, flush=True)


def describe(failure: BaseException) -> str:
    """Return an exception as "Type: message". The message may be code of the user's, and may fail itself."""
    kind = type(failure).__name__
    try:
        return printable(f"{kind}: {failure}")
    except Exception:
        return f"{kind} without a readable message"


def printable(text: str, keep: str = "\n") -> str:
    r"""Return a text without characters that act on a terminal or hide, which appear as \x1b or the like.

    Those in `keep` stay. Names and messages may come from a foreign log or archive.

    Example:
        >>> printable("\x1b[2Jmu")
        '\\x1b[2Jmu'
    """
    if text.isprintable():
        return text
    shown = (c if c.isprintable() or c in keep or category(c) == "Zs" else ascii(c)[1:-1] for c in text)
    return "".join(shown)


class WarnOnce:
    """Set of the causes that were reported. `once(key)` is True the first time that it sees a key.

    `limit` bounds the number of keys: it returns False for every new key after that, so that a message with a changing
    number in it cannot fill the log.

    Example:
        >>> once = WarnOnce()
        >>> once("silence"), once("silence"), "silence" in once
        (True, False, True)
    """

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._seen: set[Hashable] = set()

    def __call__(self, key: Hashable) -> bool:
        """Return True if the key is new, and remember it."""
        if key in self._seen or (self._limit is not None and len(self._seen) >= self._limit):
            return False
        self._seen.add(key)
        return True

    def __contains__(self, key: object) -> bool:
        return key in self._seen

    def clear(self) -> None:
        """Forget all keys: each may be reported once more."""
        self._seen.clear()
