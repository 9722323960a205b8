"""Latents that exist as arrays: `classify`, and `Partial` for those that do not fit one machine."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .partial import Partial as Partial

__all__ = ["Partial"]


def __getattr__(name: str) -> Any:
    """Import `Partial` when it is asked for: it loads the compiler."""
    if name != "Partial":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .partial import Partial

    return Partial
