"""The study of passive dimensions downstream: every arm in its table, and data from before an arm was there."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from functools import cache

import numpy as np
import pytest

from bench.regimes.scoring import passive
from polar_monitor import downstream

NAMES = {
    "active alone": [0],
    "active and mixed": [0, 1],
    "all": [0, 1, 2],
    "passive alone": [2],
}


@cache
def compared(seed: int, labels: tuple[str, ...] = ("active", "mixed", "passive")) -> downstream.Comparison:
    rng = np.random.default_rng(seed)
    latents = rng.normal(size=(80, 3))
    targets = latents @ [1.0, 2.0, 0.5] + rng.normal(size=80)
    return downstream.compare(latents, targets, labels, probes="linear", folds=4, repeats=1, seed=seed)


def rows(*found: downstream.Comparison) -> list[passive.Row]:
    """As they come back from the file."""
    made = [row for seed, one in enumerate(found) for row in passive._rows("digits", seed, "digit", one)]
    return [passive.Row(**row) for row in json.loads(json.dumps([asdict(row) for row in made]))]


def cells(text: str, scaling: str) -> dict[str, str]:
    """The entries of the first table's row of that scaling."""
    lines = [[part.strip() for part in line.strip("| ").split(" | ")] for line in text.splitlines() if "|" in line]
    return dict(zip(lines[0], next(line for line in lines if line[3:4] == [scaling]), strict=True))


def test_every_arm_has_its_column_and_its_mean_over_models() -> None:
    found = [compared(0), compared(1), compared(2)]
    text = passive.table(rows(*found))
    for scaling in ("raw", "standardised"):
        row = cells(text, scaling)
        for name, columns in NAMES.items():
            arm = next(
                arm for arm, one in found[0].arms.items()
                if list(one.columns) == columns and not one.shuffled and not one.random
            )  # fmt: skip
            by_hand = sum(sum(one.scores["linear", scaling, arm]) / 4 for one in found) / 3
            assert row[name] == f"{by_hand:.3f}", name
        assert len({row[name] for name in NAMES}) == len(NAMES)
        assert row["chance"] == f"{np.mean([one.score('random', scaling=scaling) for one in found]):.3f}"
        assert row["passive shuffled"] == f"{np.mean([one.score('shuffled', scaling=scaling) for one in found]):.3f}"


def test_the_page_says_what_was_probed_and_how_many_dimensions_are_mixed() -> None:
    text = passive.table(rows(compared(0), compared(1)))
    assert "* digits: 2 β-VAEs" in text
    assert (
        "of which active 1, 1; mixed 1, 1; passive 1, 1. Probed on the digits that the encoder was trained on" in text
    )
    assert "not trained on" in passive.PROBED_ON["sprites"]
    assert set(passive.PROBED_ON) == set(passive.PLANS)


@pytest.mark.parametrize("of", ["a model", "all models"])
def test_an_arm_that_is_absent_has_no_score_and_the_table_says_so(of: str) -> None:
    without = compared(1, ("mixed", "mixed", "passive"))
    found = [compared(0) if of == "a model" else without, without]
    expected = f"{compared(0).score('active', scaling='raw'):.3f} (1 of 2)" if of == "a model" else "-"
    text = passive.table(rows(*found))
    assert cells(text, "raw")["active alone"] == expected
    assert f"active {'1' if of == 'a model' else '0'}, 0; mixed {'1' if of == 'a model' else '2'}, 2;" in text


def test_data_from_before_the_active_dimensions_were_counted() -> None:
    old = [replace(row, active=None) for row in rows(compared(0))]
    plain = [{name: value for name, value in asdict(row).items() if name != "active"} for row in old]
    text = passive.table([passive.Row(**row) for row in plain])
    assert "of which informative 2; passive 1." in text
    assert cells(text, "raw")["active alone"] == f"{compared(0).score('active', scaling='raw'):.3f}"
