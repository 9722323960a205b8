"""Rounds a snapshot to the digits that a log holds.

Labels, alerts and sinks get a rounded snapshot. So a replay of the log works with the numbers of the live run, to the
last bit, and a line of the log is short.
"""

from __future__ import annotations

import copy
from dataclasses import fields

import numpy as np

from ..arrays.short_floats import shortened
from .snapshot import Snapshot

COUNTS = ("finite", "non_finite")
"""Arrays of whole numbers, which stay as they are."""
VALUE_BYTES, ERROR_BYTES = 3, 2
"""Bytes of a statistic (16 significant bits) and of a standard error (8 bits)."""
SIZES = {
    f.name: ERROR_BYTES if f.name.endswith("_se") else VALUE_BYTES
    for f in fields(Snapshot)
    if f.type == "Array" and f.name not in COUNTS
}
"""Bytes of each rounded array of a snapshot, by name."""
_SIZES = np.array(list(SIZES.values()))


def rounded(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot whose statistics of the dimensions are short floats: numbers that a log holds exactly.

    Counts and single numbers stay as they are. A number that is not finite becomes NaN.
    """
    arrays = vars(snapshot)
    new = copy.copy(snapshot)
    vars(new).update(zip(SIZES, shortened(np.array([arrays[name] for name in SIZES]), _SIZES).values, strict=True))
    return new
