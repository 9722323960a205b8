"""The hook of a copied model: copies are not monitored.

Its place and name are written into every pickle of a model with hooks, so both stay as they are.
"""

from __future__ import annotations

from typing import Any

from torch import nn


class InertHook:
    """Forward hook that a copied or pickled model carries instead of a tap."""

    __name__ = "polar_monitor.InertHook"

    def __call__(self, module: nn.Module, args: Any, output: Any) -> None:
        """Do nothing."""
