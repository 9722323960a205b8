"""The metric: labels as `classify` gives them, and the sync of states."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks import is_installed
from ranks import adapters, start
from torch import Tensor

import polar_monitor

pytestmark = [
    pytest.mark.integrations,
    pytest.mark.skipif(not is_installed("torchmetrics"), reason="torchmetrics is not installed"),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::polar_monitor.PolarMonitorWarning"),
]


def make(latents: int = 3, **settings: Any) -> Any:
    module = importlib.import_module("polar_monitor.integrations.torchmetrics")
    return module.PolarisationMetric(latents, **settings)


def rows(n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Means and log-variances of an active, a weak and a passive dimension."""
    draw = torch.Generator().manual_seed(seed)
    mean = torch.randn(n, 3, generator=draw) * torch.tensor([1.0, 0.5, 0.01])
    return mean, torch.tensor([0.05, 0.75, 1.0]).log().expand(n, 3).contiguous()


def test_labels_are_those_of_classify() -> None:
    metric, (mean, logvar) = make(), rows(2000)
    for part in range(0, 2000, 250):
        metric.update(mean[part : part + 250], logvar=logvar[part : part + 250])
    got, regime = metric.compute(), polar_monitor.classify(mean, logvar=logvar)
    for label in polar_monitor.Label:
        assert got[str(label)] == regime.labels.count(label)
    assert float(got["information"]) == pytest.approx(regime.snapshot.information.sum(), rel=1e-5)
    kl = 0.5 * (mean.double() ** 2 + logvar.double().exp() - logvar.double() - 1).sum() / 2000
    assert float(got["kl"]) == pytest.approx(float(kl), rel=1e-5)
    metric.reset()
    metric.update(mean, var=logvar.exp())
    again = metric.compute()
    assert all(torch.allclose(got[name], again[name], rtol=1e-4) for name in got)


def test_the_newest_rows_are_kept() -> None:
    metric, (mean, logvar) = make(window=600), rows(1000)
    for part in range(0, 1000, 125):
        metric(mean[part : part + 125], logvar=logvar[part : part + 125])
    assert metric.means.shape == (600, 3)
    assert torch.equal(metric.means.sort(0).values, mean[400:].sort(0).values)
    assert int(metric.rows) == 1000
    metric.update(*(side for side in rows(700, seed=1)[:1]), std=torch.ones(700, 3))
    assert torch.equal(metric.means.sort(0).values, rows(700, seed=1)[0][100:].sort(0).values)


@pytest.mark.parametrize("there", [0, 50, 900])
def test_a_sync_gives_what_one_process_with_all_rows_gives(there: int) -> None:
    mean, logvar = rows(1500 + there)
    other, alone = make(), make(window=8192)
    alone.update(mean, logvar=logvar)
    if there:
        other.update(mean[1500:], logvar=logvar[1500:])
    states = [other.means, other.variances, other.rows, other.kl]
    asked: list[Tensor] = []

    def gather(state: Tensor, group: Any = None) -> list[Tensor]:
        asked.append(state)
        return [state, states[len(asked) - 1]]

    metric = make(dist_sync_fn=gather, distributed_available_fn=lambda: True)
    metric.update(mean[:1500], logvar=logvar[:1500])
    got, expected = metric.compute(), alone.compute()
    assert [tuple(state.shape) for state in asked] == [(4096, 3), (4096, 3), (), ()]
    assert {name: float(got[name]) for name in got} == pytest.approx({n: float(expected[n]) for n in got}, rel=1e-5)
    assert int(metric.rows) == 1500, "after the computation the process has its own rows again"
    assert metric.means.shape == (4096, 3)


@pytest.mark.parametrize("which", [(0, 1), (2, 1)])
def test_ranks_of_gloo_compute_what_one_process_computes(which: tuple[int, int], tmp_path: Path) -> None:
    results = start.run("ranks.adapters:metric", 2, tmp_path, *which)
    for rank, (computed, alone, kl, rows) in enumerate(results):
        assert computed[0] == computed[1] == results[0][0][0]
        assert computed[0]["kl"] == pytest.approx(kl, rel=1e-5)
        assert computed[0] | {"kl": 0.0} == pytest.approx(alone | {"kl": 0.0}, rel=1e-5)
        assert rows == adapters.SIZES[which[rank]], "after the computation each rank has its own rows again"


def test_a_code_has_no_kl() -> None:
    metric = make()
    metric.update(rows(1000)[0])
    got = metric.compute()
    assert got["kl"].isnan()
    assert got["mixed"] == 0
    assert not got["information"].isnan()


def test_before_the_first_row_all_is_nan() -> None:
    assert all(value.isnan() for value in make().compute().values())


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"mean": torch.ones(4, 2)}, ValueError, r"mean: expected shape \(n, 3\), got \(4, 2\)"),
        ({"mean": torch.ones(4, 3), "logvar": torch.ones(5, 3)}, ValueError, r"logvar: expected shape \(n, 3\)"),
        ({"mean": torch.ones(4, 3), "scale": torch.ones(4, 3)}, TypeError, "expected one of logvar, var, std, logstd"),
        ({"mean": torch.ones(4, 3), "var": torch.ones(4, 3), "std": torch.ones(4, 3)}, ValueError, "at most one"),
    ],
)
def test_bad_input_is_one_error(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make().update(**arguments)
    with pytest.raises(polar_monitor.PolarMonitorError, match="latents: expected a whole number"):
        make(latents=0)
