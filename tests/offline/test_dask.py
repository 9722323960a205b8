"""Parts on a Dask cluster give what one process gives, also when a worker dies and its parts are made again."""

import os
import signal

import numpy as np
import pytest

import polar_monitor
from polar_monitor.offline import Partial

distributed = pytest.importorskip("dask.distributed")


def part(first, died):
    """Return the part of 500 inputs; the first worker that makes the fourth one dies."""
    if first == 1500 and not os.path.exists(died):
        open(died, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    mean, variance = latents()
    rows = slice(first, first + 500)
    return Partial().update(mean[rows], var=variance[rows], first=first)


def merge(parts):
    return Partial().merge(*parts)


def latents():
    mean = np.random.default_rng(0).normal(size=(4000, 3)) * [1.0, 0.01, 0.5]
    return mean.astype(np.float32), np.full((4000, 3), [0.02, 1.0, 0.3], np.float32)


@pytest.mark.slow
def test_a_worker_that_dies_changes_nothing(tmp_path):
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        parts = client.map(part, range(0, 4000, 500), died=str(tmp_path / "died"))
        regime = client.submit(merge, parts[::-1]).result(timeout=120).result()
    assert (tmp_path / "died").exists()
    mean, variance = latents()
    expected = polar_monitor.classify(mean, var=variance)
    assert regime.labels == expected.labels
    assert regime.snapshot.rows == 4000
    np.testing.assert_array_equal(regime.snapshot.information, expected.snapshot.information)
