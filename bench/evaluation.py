"""One full evaluation: every statistic of a window of 4096 rows, labels, alerts and all sinks.

`pytest bench/evaluation.py`. All rows are new each time, as in training. The console sink prints into a string.
"""

import io

import numpy as np
import pytest

import polar_monitor
from polar_monitor.sinks.console import PlainConsole


def latents(dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """Half active, half passive, as a polarised code is."""
    rng = np.random.default_rng(0)
    active = np.arange(dimensions) % 2 == 0
    mean = rng.normal(size=(4096, dimensions)) * np.where(active, 1.0, 0.02)
    spread = np.where(active, 0.02, 1.0) * rng.lognormal(0.0, 0.1, (4096, dimensions))
    return mean.astype(np.float32), np.log(spread).astype(np.float32)


@pytest.mark.parametrize("dimensions", [32, 512])
@pytest.mark.parametrize("sinks", ["all_sinks", "no_sinks"])
@pytest.mark.parametrize("kind", ["mean_and_variance", "mean_only"])
def test_evaluation(benchmark, tmp_path, dimensions, sinks, kind):
    where = (
        {"sinks": ()} if sinks == "no_sinks" else {"log_dir": tmp_path, "sinks": (PlainConsole(None, io.StringIO()),)}
    )
    monitor = polar_monitor.PolarMonitor(every=1, max_overhead=1.0, **where)
    mean, logvar = latents(dimensions)
    spread = {"logvar": logvar} if kind == "mean_and_variance" else {}
    monitor.observe(mean, **spread)
    monitor.step()
    benchmark.pedantic(monitor.step, setup=lambda: monitor.observe(mean, **spread), rounds=60, warmup_rounds=5)
    assert monitor.health().errors == 0
    assert monitor.snapshot().n == 4096
