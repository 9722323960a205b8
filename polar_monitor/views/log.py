"""A log that may still be written: each `refresh` reads only the bytes that are new since the last one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..errors import PolarMonitorError
from ..sinks.jsonl_reader import BROKEN, MAX_LINE_BYTES, decode
from ..sinks.missing_records import missing_records, sentence_on
from .course import Course
from .point import Point, read_point

CHUNK_BYTES = 2**24
"""Bytes that are read at a time."""


class RunLog:
    """The evaluations of a log, by latent and mode, and what is odd about the file.

    Lines that are no records are left out and counted, so that one broken line hides nothing else.
    """

    def __init__(self, path: str | os.PathLike[str], listener: Callable[[Point], None] | None = None) -> None:
        self.path = Path(path)
        self._listener = listener
        """Called with each evaluation as it is read."""
        self._restart()

    def _restart(self) -> None:
        self.courses: dict[tuple[str, str], Course] = {}
        self.offset, self.line, self.size = 0, 0, 0
        self.bad_lines = 0
        self.first_bad = ""
        """Number of the first line that is no record, and the reason."""
        self._identity: tuple[int, int] | None = None

    def refresh(self) -> bool:
        """Read what is new, and return True if there was something. Raises PolarMonitorError if it cannot be read.

        A file that is another one, or shorter, is read from its beginning.
        """
        try:
            with open(self.path, "rb") as file:
                state = os.fstat(file.fileno())
                identity = (state.st_dev, state.st_ino)
                if self._identity not in (None, identity) or state.st_size < self.offset:
                    self._restart()
                self._identity = identity
                changed = state.st_size != self.size
                self.size = state.st_size
                file.seek(self.offset)
                while block := file.read(CHUNK_BYTES):
                    end = block.rfind(b"\n") + 1
                    if not end and len(block) == CHUNK_BYTES:
                        block += file.readline(MAX_LINE_BYTES)
                        end = len(block) if block.endswith(b"\n") else 0
                    if not end:
                        break
                    for line in block[:end].splitlines():
                        self._add(line)
                    self.offset += end
                    file.seek(self.offset)
        except OSError as error:
            raise PolarMonitorError(f"cannot read {str(self.path)!r} ({error.strerror or error})") from error
        return changed

    def _add(self, line: bytes) -> None:
        self.line += 1
        if not line.strip():
            return
        try:
            point = read_point(decode(line))
        except BROKEN as error:
            self.bad_lines += 1
            reason = f"no field {error}" if isinstance(error, KeyError) else str(error)
            self.first_bad = self.first_bad or f"line {self.line}: {reason[:120]}"
            return
        key = point.name, point.mode
        self.courses.setdefault(key, Course(*key)).add(point)
        if self._listener is not None:
            self._listener(point)

    @property
    def notes(self) -> list[str]:
        """Sentences about the file that a reader of its numbers should know."""
        notes = []
        if self.size > self.offset:
            notes.append("the last line is not complete yet: the run is being written, or was killed")
        notes += self.losses
        begun = max((course.begun for course in self.courses.values()), default=0)
        if begun > 1:
            notes.append(
                f"{begun} runs were written to this file one after the other, and only the newest is shown: "
                "give each run a folder of its own"
            )
        return notes

    @property
    def losses(self) -> list[str]:
        """Sentences about evaluations of the run that the log does not have, or has as lines that cannot be read."""
        losses = []
        if self.bad_lines:
            lines = "1 line is" if self.bad_lines == 1 else f"{self.bad_lines:,} lines are"
            losses.append(f"{lines} left out, no record that can be read ({self.first_bad})")
        for name in dict.fromkeys(name for name, _ in self.courses):
            courses = [course for course in self.courses.values() if course.name == name]
            missing = missing_records(one for course in courses for one in course.numbered)
            if missing.evaluations > self.bad_lines:  # else these lines are the missing ones
                losses.append(sentence_on(missing, name))
        return losses

    @property
    def problem(self) -> str:
        """Sentence that says why there is nothing to draw; '' if there is something."""
        if any(course.measured for course in self.courses.values()):
            return ""
        if not self.size:
            return "the log is empty: the run has not been evaluated yet"
        if self.courses:
            return (
                "the run has been evaluated, but no row of a latent was recorded: monitor.explain() says which module "
                "is watched"
            )
        if self.bad_lines:
            return (
                f"this is not a log of Polar Monitor ({self.first_bad}): expected polar.jsonl, or the folder of a run"
            )
        return "the first evaluation is being written: look again in a moment"
