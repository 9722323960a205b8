"""Parser of the command line: each error is one line, and names the nearest word that exists."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from .screen import complain


class Parser(argparse.ArgumentParser):
    """Parser of the program or of a command."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=_Help, **options)

    def error(self, message: str) -> NoReturn:
        """Print one line to standard error, and exit with 2."""
        complain(self.prog, f"{message}; see {self.prog} --help")
        raise SystemExit(2)

    def refuse(self, words: list[str]) -> NoReturn:
        """Exit because of arguments that no option takes."""
        option = next((word.partition("=")[0] for word in words if word.startswith("-")), None)
        if option is None:
            self.error(f"expected no further argument, got {words[0]!r}")
        known = re.findall(r"--[a-z][a-z-]*", self.format_help())
        self.error(f"no option {option}{closest(option, known)}")


class _Help(argparse.HelpFormatter):
    """Text of `--help` in which the longest name of a command has room on its line: argparse forgets its indent."""

    def add_argument(self, action: argparse.Action) -> None:
        """Add the lines of an argument."""
        super().add_argument(action)
        if action.nargs == argparse.PARSER:
            self._action_max_length += self._indent_increment


def closest(word: str, known: Iterable[str]) -> str:
    """Return the word that was probably meant, as a question, or ''.

    Example:
        >>> closest("chek", ["check", "replay"])
        ' (did you mean check?)'
    """
    near = difflib.get_close_matches(word, list(known), 1)
    return f" (did you mean {near[0]}?)" if near else ""


def one_of(names: Iterable[str]) -> Callable[[str], str]:
    """Return the type of an argument that is one of some names."""
    names = tuple(names)

    def checked(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(f"expected one of {', '.join(names)}, got {text!r}{closest(text, names)}")
        return text

    return checked


def integer(low: int, high: int = 2**63 - 1) -> Callable[[str], int]:
    """Return the type of an argument that is an integer from `low` to `high`."""

    def checked(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            bound = f"{low} or more" if high == 2**63 - 1 else f"from {low} to {high}"
            raise argparse.ArgumentTypeError(f"expected an integer, {bound}, got {text!r}")
        return number

    return checked
