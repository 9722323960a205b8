"""TODO."""

from __future__ import annotations

Z = 1.96
"""Width of the confidence bounds, in standard errors."""

PASSIVE = 0.05
"""Nats: information surely below is nothing that training uses."""

INFORMATIVE = 0.15
"""Nats: information surely above is in use."""

INFORMATIVE_MEAN_ONLY = 0.35
"""Nats: the same for the resolved entropy of autoencoders, whose noise level is a convention."""

MIXED_SHARE = 0.05
"""Share of inputs that must surely be on either side for a mixed dimension."""

MIN_ROWS = 512
"""Independent rows, finite in the dimension, below which nothing is decided of it."""
