"""The folder of the checkpoints: which steps there are, and files that are there as a whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from ..errors import PolarMonitorError

NAME = re.compile(r"healthy-(0|[1-9][0-9]{0,17})\.pt")
PART = "healthy.part"
"""What is written before it has its name."""


class Folder:
    """`healthy-<step>.pt` files, and others beside them; all that is no such file is left alone.

    Raises:
        PolarMonitorError: it cannot be made or read. All else raises OSError if the disk fails.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            found = [(NAME.fullmatch(file.name), file) for file in self.path.iterdir()]
        except OSError as error:
            raise PolarMonitorError(f"cannot make or read {str(self.path)!r} ({error.strerror or error})") from error
        self.steps = sorted(int(match[1]) for match, file in found if match and file.is_file())
        """Of the files kept, in order."""

    def file(self, step: int) -> Path:
        """The file of a step."""
        return self.path / f"healthy-{step}.pt"

    def there(self) -> list[int]:
        """The steps whose files nobody has removed, in order."""
        return [step for step in self.steps if self.file(step).is_file()]

    def add(self, step: int, write: Callable[[IO[bytes]], object]) -> None:
        """Write the file of a step that is later than all others."""
        self.replace(self.file(step).name, write)
        self.steps.append(step)

    def remove(self, step: int) -> None:
        """Remove the file of a step, if it is there."""
        self.file(step).unlink(missing_ok=True)
        self.steps.remove(step)

    def aside(self, steps: Sequence[int], *others: str) -> Path:
        """Move the files of steps, and others by their names, to a new folder beside them, which is returned."""
        number = 1
        while (where := self.path / f"before-{number}").exists():
            number += 1
        where.mkdir()
        for step in tuple(steps):
            self._move(self.file(step).name, where)
            self.steps.remove(step)
        for name in others:
            self._move(name, where)
        return where

    def replace(self, name: str, write: Callable[[IO[bytes]], object]) -> None:
        """Write a file so that it is there as a whole or not at all; what `write` raises goes on."""
        part = self.path / PART
        try:
            with open(part, "wb") as stream:
                write(stream)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(part, self.path / name)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise

    def _move(self, name: str, where: Path) -> None:
        with suppress(FileNotFoundError):
            os.replace(self.path / name, where / name)
