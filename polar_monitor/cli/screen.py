"""Output of the commands: every name and text may come from a foreign file, and nothing of it acts on the terminal."""

from __future__ import annotations

import json
import sys
from typing import Any

from ..errors import printable


def show(text: str) -> None:
    """Print lines to standard output."""
    print(printable(text))


def show_json(data: Any) -> None:
    """Print an object as one line of JSON in ASCII; DEL is the only character that JSON leaves as it is."""
    print(json.dumps(data).replace("\x7f", "\\u007f"))


def complain(command: str, message: str) -> None:
    """Print a message of a command to standard error, as one line."""
    print(f"{command}: {printable(message, keep='')}", file=sys.stderr)
