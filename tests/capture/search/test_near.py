"""A sample that no reading has: how long its processing is looked for."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from polar_monitor.capture.search import near
from polar_monitor.discovery.evidence.pieces import Slot


def test_the_search_for_a_processing_ends_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of tensors of a deep decoder are near some other one, and each costs a tenth of a second."""
    slots = [Slot("mean", (), None), Slot("spread", (), None)]
    pieces = [SimpleNamespace(slot=slot) for slot in slots]
    step = SimpleNamespace(
        candidates=lambda sample: pieces,
        is_beside_inputs=lambda sample: False,
        links=lambda pieces: np.ones((2, 2), bool),
    )
    lines = SimpleNamespace(places=[0, 1], sizes=(4, 2), values=np.ones((3, 8), np.float32))
    clock, tried = itertools.count(step=0.1), []
    for name, stub in {
        "MAX_SECONDS": 0.5,
        "thread_time": lambda: next(clock),
        "Step": lambda seen: step,
        "_near": lambda step, names: [(SimpleNamespace(mantissa=23), pieces[0])] * 1000,
        "numbers_of": lambda *anything: lines,
        "explanation_of": lambda *anything: tried.append(anything),
    }.items():
        monkeypatch.setattr(near, name, stub)
    seen: Any = ()
    assert near.explained_reading(seen) is None
    assert 1 <= len(tried) <= 6
