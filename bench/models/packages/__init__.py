"""Models of real packages, where they are installed; a package that is missing has none."""

from __future__ import annotations

from ..structure import Structure


def names() -> list[str]:
    """Return the names of all models, as package:model."""
    return []


def find(name: str) -> Structure:
    """Return one of them."""
    raise KeyError(name)
