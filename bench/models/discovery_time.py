"""Time that a monitor takes to find its latent: in its hooks, and in judging what they have shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import thread_time
from typing import Any
from unittest.mock import patch


@contextmanager
def measured() -> Iterator[list[float]]:
    """Yield a list of the milliseconds of each step in which a monitor looks for its latent.

    It stays empty for a checkout that has no search. The judging is counted in processor time of its thread, as other
    work on the machine would count otherwise; the hooks by the clock.
    """
    spent: list[float] = []
    try:
        from polar_monitor.capture.search.first_forwards import FirstForwards
    except ImportError:
        yield spent
        return
    step = FirstForwards.step

    def timed(search: Any) -> Any:
        hooks, began = search._look.nanoseconds * 1e-6, thread_time()
        outcome = step(search)
        spent.append(hooks + 1e3 * (thread_time() - began))
        return outcome

    with patch.object(FirstForwards, "step", timed):
        yield spent
