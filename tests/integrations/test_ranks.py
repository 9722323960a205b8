"""Adapters on two ranks of the real frameworks: merged evaluations, and one decision to stop."""

from __future__ import annotations

from pathlib import Path

import pytest
from frameworks import BATCH, STEPS, is_installed
from ranks import adapters, start

pytestmark = [pytest.mark.integrations]
NAMES = ("lightning", "ignite", "transformers", "accelerate")
ALL_STEPS = {
    "lightning": adapters.STEPS,
    "ignite": adapters.STEPS,
    "accelerate": adapters.STEPS,
    "transformers": STEPS // 2,
}
"""Steps of each rank; the Trainer deals the rows of one data set out to the ranks."""


def results(name: str, breaks: bool, folder: Path) -> list[tuple[int, bool, list[str], int, int]]:
    if not is_installed(name):
        pytest.skip(f"{name} is not installed")
    more = (folder,) if name == "transformers" else ()
    return start.run(f"ranks.adapters:{name}", 2, folder, int(breaks), *more)


@pytest.mark.parametrize("name", NAMES)
def test_ranks_of_a_framework_are_merged(name: str, tmp_path: Path) -> None:
    first, second = results(name, False, tmp_path)
    assert first == second
    steps, stops, _, rows, ranks = first
    assert (steps, stops, ranks) == (ALL_STEPS[name], False, 2)
    assert rows == 2 * steps * BATCH


@pytest.mark.parametrize("name", NAMES)
def test_ranks_of_a_framework_stop_in_the_same_step(name: str, tmp_path: Path) -> None:
    first, second = results(name, True, tmp_path)
    assert first == second
    steps, stops, *_ = first
    assert stops
    assert 10 < steps < ALL_STEPS[name]
