"""Cuts that both the measurement and the labels use."""

from __future__ import annotations

Z = 1.96
"""Width of the confidence bounds, in standard errors."""

PASSIVE = 0.05
"""Nats. A dimension whose information is surely at or below this is passive."""

INFORMATIVE = 0.15
"""Nats. A dimension whose information is surely at or above this is in use."""

INFORMATIVE_MEAN_ONLY = 0.35
"""Nats. The counterpart of `INFORMATIVE` for the resolved entropy of autoencoders, whose noise is a convention."""

MIN_EFFECT = 1e-4
"""Share of the variance of the data. If the code of another input surely changes the decoder's output by less, the
decoder ignores the code."""

MIN_EXPLAINED = 0.01
"""Share of the baseline of the loss. If the reconstruction term is lower by less, the code explains nothing."""

MIXED_SHARE = 0.05
"""Smallest share of inputs that surely use a mixed dimension, and that surely do not."""

MIN_ROWS = 512
"""Smallest number of independent finite rows that a label needs."""
