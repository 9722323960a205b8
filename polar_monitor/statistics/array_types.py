"""Array types that the statistics share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
"""Statistics of each dimension (D,)."""
F32 = NDArray[np.float32]
"""Rows of a window, (D, n)."""
Ids = NDArray[np.int64] | None
"""Input that each row belongs to (n,); None if every row is an input of its own."""
