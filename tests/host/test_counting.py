"""Every row is counted once or reported as dropped, whatever goes through a tap; nothing that does so is raised.

Of each call: rows seen + rows dropped = rows sent, or the call was empty or refused, which health() has as well.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from watching import watched

from polar_monitor import PolarMonitor
from polar_monitor.hooks import PER_INPUT


class Given(nn.Module):
    """A model whose latent is whatever it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.mu, self.logvar = nn.Identity(), nn.Identity()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, mean: Any, logvar: Any = None) -> Any:
        return self.mu(mean), None if logvar is None else self.logvar(logvar)


class Subclass(Tensor):
    """A tensor of the user's own."""


def watching(every: int = 1, **options: Any) -> tuple[Given, PolarMonitor]:
    model = Given()
    monitor = watched(model, mean="mu", strict=False, every=every, **options)
    return model, monitor


def total(monitor: PolarMonitor) -> int:
    health = monitor.health()
    return health.rows_seen + health.rows_dropped


# -- known traffic ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batches", [(1,), (64, 1, 7, 3, 64, 2), (0, 5, 0), (5000, 3, 5000)])
def test_batches_that_change_are_counted_row_by_row(batches: tuple[int, ...]) -> None:
    model, monitor = watching()
    for n in batches * 3:
        model(torch.randn(n, 2))
        monitor.step()
    health = monitor.health()
    assert (health.rows_seen, health.rows_dropped) == (3 * sum(batches), 0)
    assert health.rows_empty == 3 * batches.count(0)


@pytest.mark.parametrize("samples", [2, 5, 64])
def test_importance_samples_are_counted_row_by_row(samples: int) -> None:
    """K samples of one input: in one tensor (n, K, D), of which at most 16 places are taken, or as rows (n K, D)."""
    model, monitor = watching()
    model(torch.randn(8, samples, 3))
    monitor.step()
    places = len(range(0, samples, -(-samples // PER_INPUT)))
    assert monitor.health().rows_seen == 8 * places
    flat, flat_monitor = watching()
    flat(torch.randn(8 * samples, 3))
    flat_monitor.step()
    assert flat_monitor.health().rows_seen == 8 * samples


@pytest.mark.parametrize(("forwards", "rows"), [(3, 500), (50, 100), (1, 4000)])
def test_what_the_ring_cannot_hold_is_reported_as_dropped(forwards: int, rows: int) -> None:
    model, monitor = watching(window=512)
    for _ in range(forwards):
        model(torch.randn(rows, 2))
    monitor.step()
    health = monitor.health()
    assert total(monitor) == forwards * rows
    assert health.rows_seen == min(forwards * rows, 1024)


def test_a_probe_forward_is_a_forward_and_one_in_eval_mode_is_none() -> None:
    model, monitor = watching(every=5)
    for _ in range(5):
        model(torch.randn(10, 2))
        with torch.no_grad():
            model(torch.randn(3, 2))
        model.eval()
        model(torch.randn(100, 2))
        model.train()
        monitor.step()
    assert monitor.health().rows_seen == 5 * 13


def test_rows_given_by_hand_are_counted_row_by_row() -> None:
    monitor = PolarMonitor(sinks=(), every=7, max_overhead=1.0, strict=True)
    sent = 0
    for step in range(70):
        monitor.observe(torch.randn(step % 4 + 1, 2))
        sent += step % 4 + 1
        monitor.step()
    assert total(monitor) == sent


# -- anything ---------------------------------------------------------------------------------------------------------

REAL = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
WHOLE = [torch.int64, torch.int32, torch.uint8, torch.bool]
COMPLEX = [torch.complex64]
SHAPES = st.one_of(
    st.tuples(st.integers(0, 40), st.sampled_from([1, 3])),
    st.lists(st.integers(0, 6), min_size=0, max_size=5).map(tuple),
    st.tuples(st.integers(0, 3000), st.sampled_from([1, 3])),
)


@st.composite
def tensors(draw: st.DrawFn) -> Any:
    """A tensor of any shape, type and layout, or something else that a module may return."""
    shape = draw(SHAPES)
    dtype = draw(st.sampled_from(REAL * 3 + WHOLE + COMPLEX))
    x = (torch.arange(int(np.prod(shape)), dtype=torch.float64).reshape(shape) % 11 - 5).to(dtype)
    match draw(st.sampled_from(["plain"] * 3 + ["strided", "transposed", "expanded", "permuted", "channels_last"])):
        case "strided" if x.dim() > 0:
            x = torch.cat([x, x], 0)[::2]
        case "transposed" if x.dim() > 1:
            x = x.transpose(0, 1).contiguous().transpose(0, 1)
        case "expanded" if x.dim() > 0 and x.shape[0] > 0:
            x = x[:1].expand(x.shape)
        case "permuted" if x.dim() > 2:
            x = x.permute(0, *range(x.dim() - 1, 0, -1))
        case "channels_last" if x.dim() == 4:
            x = x.to(memory_format=torch.channels_last)
    if x.is_floating_point() and x.numel():
        match draw(st.sampled_from(["finite"] * 3 + ["nan", "inf", "huge"])):
            case "nan":
                x = x * float("nan")
            case "inf":
                x = x / 0
            case "huge":
                x = x * 1e30
    match draw(st.sampled_from(["tensor"] * 6 + ["grad", "subclass", "parameter", "sparse", "meta", "list", "none"])):
        case "grad" if x.is_floating_point():
            x = x.clone().requires_grad_()
        case "subclass":
            x = x.as_subclass(Subclass)
        case "parameter" if x.is_floating_point():
            x = nn.Parameter(x.clone())
        case "sparse" if x.dim() > 0 and not x.is_complex():
            x = x.to_sparse()
        case "meta":
            x = x.to("meta")
        case "list":
            return [x]
        case "none":
            return None
    return x


def rows(x: Any) -> int:
    """How many rows a tap should take of one output, by the shape alone."""
    if not isinstance(x, Tensor) or x.is_meta or x.dim() == 0:
        return 0
    if x.dim() < 3:
        return x.shape[0]
    places = int(np.prod(x.shape[2:] if x.dim() > 3 else x.shape[1:-1]))
    return x.shape[0] * len(range(0, places, max(1, -(-places // PER_INPUT))))


CASES, PER_CASE = 500, 4


@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(sent=st.lists(tensors(), min_size=PER_CASE, max_size=PER_CASE), paired=st.booleans())
def test_whatever_a_module_returns_nothing_is_raised_and_every_row_is_accounted_for(
    sent: list[Any], paired: bool
) -> None:
    model = Given()
    options = {"logvar": "logvar"} if paired else {}
    monitor = watched(model, mean="mu", strict=False, every=PER_CASE, window=512, **options)
    taken = refused = empty = refusals = 0
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("default")
        for x in sent:
            errors = monitor.health().errors
            out, _ = model(x, x if paired else None)
            assert out is x
            if monitor.health().errors > errors:
                refused += rows(x)
                refusals += 1
            else:
                taken += rows(x)
                empty += isinstance(x, Tensor) and not x.is_meta and x.dim() > 0 and x.shape[0] == 0
            monitor.step()
    assert taken <= total(monitor)
    if not (paired and refusals):  # one side of a pair may be refused after the other was taken
        assert total(monitor) <= taken + refused
    assert monitor.health().rows_empty >= empty
    assert monitor.health().evaluations == 1 or monitor.health().errors
    assert monitor.attached
    monitor.detach()
