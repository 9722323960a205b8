"""What a record was made by: a digest of the library and of the study's own training and truth.

A record of other code is made again, so that no table mixes what two versions said.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STUDY = ("grid", "intervention", "materials", "record", "truth", "zoo")


@cache
def digest() -> str:
    """Sixteen hexadecimal digits, the same as long as no line of that code changes."""
    sources = sorted((ROOT / "polar_monitor").rglob("*.py"))
    sources += [ROOT / "bench" / "regimes" / f"{name}.py" for name in STUDY]
    found = hashlib.sha256()
    for path in sources:
        found.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return found.hexdigest()[:16]
