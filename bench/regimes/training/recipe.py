"""Digest of the code that makes a record: the library, and the training and truth of the study.

A record of other code is made again, so that no table mixes the results of two versions.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = ("polar_monitor", "bench/regimes/training", "bench/zoo")


@cache
def digest() -> str:
    """Return sixteen hexadecimal digits, the same as long as no line of that code changes."""
    total = hashlib.sha256()
    for path in [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]:
        total.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return total.hexdigest()[:16]
