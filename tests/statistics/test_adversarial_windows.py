"""Every window gives statistics that are NaN or keep their bounds, and no kernel reads or writes outside its arrays."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from adversarial import adversarial_window

from polar_monitor.kernels import mixture, posterior, quadrature, repeats, valley
from polar_monitor.statistics import work_space
from polar_monitor.statistics.stream import LatentStream

ROUNDED = 1 + 1e-4
"""Statistics of a snapshot are rounded."""
ROOT = Path(__file__).resolve().parents[2]
SEARCH = """
import sys
import numpy as np
from adversarial import adversarial_window
from polar_monitor.kernels import quadrature
from polar_monitor.statistics.stream import LatentStream

nodes = quadrature.NODES
for seed in range(int(sys.argv[1]), int(sys.argv[2])):
    rng = np.random.default_rng(seed)
    mean, variance, per = adversarial_window(rng)
    quadrature.NODES = nodes if seed % 3 else 0
    try:
        stream = LatentStream(mean.shape[1], window=6000, has_variance=variance is not None)
        stream.update(mean, variance, per)
        stream.snapshot(0, full=seed % 5 == 0)
    except Exception as error:
        raise AssertionError(f"seed {seed}: {error}") from error
"""


def assert_sound(s) -> None:
    """Check the bounds of each statistic; NaN stands for what cannot be estimated."""
    information, upper = s.information, s.information_upper
    known = np.isfinite(information)
    assert (information[known] >= 0).all()
    assert (information[known] <= np.log(np.maximum(s.n, 1)) * ROUNDED + 1e-9).all()
    assert np.isfinite(s.information_se[known & (s.finite > 1)]).all()
    both = known & np.isfinite(upper)
    assert (information[both] <= np.maximum(upper[both], 0) * ROUNDED + 1e-9).all()
    for name in ("reliability", "share_active", "share_passive", "valley"):
        values = getattr(s, name)
        assert ((values >= 0) & (values <= 1) | np.isnan(values)).all(), name
    for name in vars(s):
        if name.endswith("_se"):
            values = np.asarray(getattr(s, name))
            assert ((values >= 0) | np.isnan(values)).all(), name
    assert ((s.finite >= 0) & (s.finite <= s.n)).all()
    assert 0 <= s.independent <= s.n
    assert math.isfinite(s.independent)


@pytest.mark.parametrize("ordered", [False, True])
def test_any_window_gives_bounded_statistics_or_none(ordered, monkeypatch):
    if ordered:
        monkeypatch.setattr(quadrature, "NODES", 0)
    for seed in range(150):
        mean, variance, per = adversarial_window(np.random.default_rng(seed))
        stream = LatentStream(mean.shape[1], window=6000, has_variance=variance is not None)
        stream.update(mean, variance, per)
        try:
            assert_sound(stream.snapshot(0, full=seed % 10 == 0))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


class Filled:
    """NumPy whose `empty` holds something."""

    def __init__(self, number):
        self.number = number

    def __getattr__(self, name):
        return getattr(np, name)

    def empty(self, *arguments, **options):
        made = np.empty(*arguments, **options)
        made.fill(self.number if made.dtype.kind == "f" else min(10**6, np.iinfo(made.dtype).max))
        return made


def test_no_result_depends_on_what_the_work_space_held(monkeypatch):
    for seed in range(100):
        mean, variance, per = adversarial_window(np.random.default_rng(seed))
        results = []
        for number in (np.nan, 1e30):
            for module in (mixture, posterior, repeats, valley, work_space):
                monkeypatch.setattr(module, "np", Filled(number))
            stream = LatentStream(mean.shape[1], window=6000, has_variance=variance is not None)
            stream.update(mean, variance, per)
            results.append(vars(stream.snapshot(0, full=False)))
        for name, value in results[0].items():
            np.testing.assert_array_equal(value, results[1][name], err_msg=f"{name}, seed {seed}")


@pytest.mark.slow
def test_no_access_of_three_thousand_windows_is_out_of_bounds(tmp_path):
    environment = os.environ | {
        "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'helpers'}"
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-c", SEARCH, "0", "3000"], env=environment, capture_output=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
