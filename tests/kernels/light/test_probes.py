"""The rows that are looked at for repeats, where inputs have several: against a slow twin."""

import numpy as np
import pytest

from polar_monitor.kernels.light.probes import INPUTS, MAX_PLACES, evenly_spread, probes_of


def slow(first, group):
    """The probes of each input, chosen with lists."""
    finite = [x for x in first.tolist() if np.isfinite(x)]
    centre, probes = float(np.median(finite)) if finite else 0.0, []
    for one in sorted({int(group[row]) for row in evenly_spread(len(first), INPUTS)}):
        rows = [i for i in range(len(first)) if group[i] == one]
        if len(rows) > MAX_PLACES:
            far = sorted(rows, key=lambda i: -abs(first[i] - centre) if np.isfinite(first[i]) else 1.0)
            spread = [rows[k] for k in evenly_spread(len(rows), MAX_PLACES // 2)]
            rows = sorted({*spread, *far[: MAX_PLACES // 2]})
        probes += rows
    return probes


@pytest.mark.parametrize("sizes", [(1, 5), (16, 17), (17, 60), (700, 701), (1, 90)])
@pytest.mark.parametrize("unknown", [0.0, 0.2, 1.0])
def test_matches_the_slow_twin(sizes, unknown):
    rng = np.random.default_rng(sum(sizes))
    group = np.repeat(np.arange(700, dtype=np.int32), rng.integers(*sizes, 700))[:700]
    first = rng.normal(size=700).astype(np.float32).round(1 if sizes[0] < 17 else 6)
    first[rng.random(700) < unknown] = np.nan
    first[rng.random(700) < unknown / 9] = np.inf
    assert probes_of(first, group).tolist() == slow(first, group)


def test_few_places_need_no_median():
    group = np.arange(64, dtype=np.int32) // 4
    probes = probes_of(np.full(64, np.nan, np.float32), group)
    assert len(probes) == 4 * INPUTS
