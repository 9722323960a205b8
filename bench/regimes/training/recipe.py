"""Digests of the code that makes a record: training and truth, and the library whose monitor watches.

A record of another recipe is made again, so that no table mixes two kinds of training or of truth. The library's labels
at the end of training are the only thing in a record that its own code decides.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
RECIPE = ("bench/regimes/training", "bench/zoo", "polar_monitor/demo/data", "polar_monitor/demo/models")
LIBRARY = ("polar_monitor",)


@cache
def digest(folders: tuple[str, ...]) -> str:
    """Return sixteen hexadecimal digits, the same as long as no line of the code in these folders changes."""
    total = hashlib.sha256()
    for path in [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]:
        total.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return total.hexdigest()[:16]
