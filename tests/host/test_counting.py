"""Every row is counted once or reported as dropped, whatever goes through a tap; nothing that does so is raised.

Of each call: rows seen + rows dropped = rows sent, or the call was empty or refused, which health() has as well.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from watching import same, stepped, warned, watched

from polar_monitor import PolarMonitor, PolarMonitorWarning
from polar_monitor.arrays.places import taken_of
from polar_monitor.capture.row_buffer import capacity_of
from polar_monitor.statistics.stream import rows_of_window


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
    return health.rows_seen + health.rows_skipped + health.rows_dropped


# -- known traffic ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batches", [(1,), (64, 1, 7, 3, 64, 2), (0, 5, 0), (5000, 3, 5000)])
def test_batches_that_change_are_counted_row_by_row(batches: tuple[int, ...]) -> None:
    model, monitor = watching()
    with warned() as caught:
        for n in batches * 3:
            model(torch.randn(n, 2))
            monitor.step()
    health = monitor.health()
    assert len(caught) == (batches[0] == 0)
    assert all("1 of 1 forwards gave no rows" in said for said in caught)
    assert (health.rows_seen, health.rows_dropped) == (3 * sum(batches), 0)
    assert health.rows_empty == 3 * batches.count(0)


@pytest.mark.parametrize("samples", [2, 5, 64])
def test_importance_samples_are_counted_row_by_row(samples: int) -> None:
    """K samples of one input: in one tensor (n, K, D), of which a few places are taken, or as rows (n K, D)."""
    model, monitor = watching()
    model(torch.randn(8, samples, 3))
    monitor.step()
    assert monitor.health().rows_seen == 8 * taken_of(samples)
    flat, flat_monitor = watching()
    flat(torch.randn(8 * samples, 3))
    flat_monitor.step()
    assert flat_monitor.health().rows_seen == 8 * samples


@pytest.mark.parametrize(("forwards", "rows"), [(3, 500), (50, 100), (1, 4000)])
def test_what_the_window_has_no_room_for_is_not_called_dropped(forwards: int, rows: int) -> None:
    model, monitor = watching(window=512)
    for _ in range(forwards):
        model(torch.randn(rows, 2))
    monitor.step()
    health = monitor.health()
    assert total(monitor) == forwards * rows
    assert health.rows_seen == min(forwards * rows, 1024)
    assert health.rows_dropped == 0


def test_a_ring_is_never_smaller_than_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the window would hold rows from before those that were lost."""
    monkeypatch.setattr("polar_monitor.capture.row_buffer.MAX_BYTES", 4 * 2 * 256)
    model, monitor = watching(window=512)
    model(torch.randn(1000, 2))
    monitor.step()
    health = monitor.health()
    assert (health.rows_seen, health.rows_dropped, health.rows_skipped) == (512, 0, 488)


@pytest.mark.parametrize("window", [512, 1000, 4096, 20_000])
def test_a_ring_has_room_for_the_window_of_any_latent(window: int) -> None:
    for dimensions in (1, 100, 1024, 3000, 4096, 10_000, 65_536):
        bound = rows_of_window(window, dimensions)
        assert bound <= capacity_of(2 * window, dimensions) <= max(2 * window, 512)


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


# -- steps of rows ----------------------------------------------------------------------------------------------------


def steps_of(monitor: PolarMonitor) -> list[int]:
    stream = monitor._loop.pipelines["train"].stream
    assert stream is not None
    return [int(step) for step in stream._ring.steps[: stream._ring.filled]]


def test_every_row_keeps_its_step_under_accumulation_refusal_and_a_state() -> None:
    """The mean of every row is its step; step 3 is refused on one side, step 4 has three batches."""

    def go(model: Given, monitor: PolarMonitor, steps: range) -> None:
        for step in steps:
            for _ in range(3 if step == 4 else 1):
                value = torch.full((10, 2), float(step))
                model(value, value.to(torch.complex64) if step == 3 else value)
            monitor.step()

    def made() -> tuple[Given, PolarMonitor]:
        model = Given()
        return model, watched(model, mean="mu", logvar="logvar", strict=False, every=100, modes=("train", "eval"))

    model, monitor = made()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PolarMonitorWarning)
        go(model, monitor, range(1, 6))
        state = monitor.state_dict()
        go(model, monitor, range(6, 8))
        resumed_model, resumed = made()
        resumed.load_state_dict(state)
        go(resumed_model, resumed, range(6, 8))
    for one in (monitor, resumed):
        one.evaluate()
        expected = [step for step in (1, 2, 4, 4, 4, 5, 6, 7) for _ in range(10)]
        assert steps_of(one) == expected
        snapshot = one.snapshot()
        assert snapshot is not None
        assert (snapshot.rows_from, snapshot.rows_to) == (1, 7)
        stream = one._loop.pipelines["train"].stream
        assert stream is not None
        assert stream._ring.mean[0, : stream._ring.filled].tolist() == expected


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


def rows_and_inputs(monitor: PolarMonitor, x: Any) -> tuple[int, int]:
    """How many rows a tap should take of one output, and its inputs, by the axes that it was read with.

    Sizes that vary say which axis holds the dimensions, so the shape alone does not.
    """
    if not isinstance(x, Tensor) or x.is_meta or x.dim() == 0:
        return 0, 0
    if x.dim() < 3:
        return x.shape[0], x.shape[0]
    hooks = monitor._loop.hooks
    assert hooks is not None
    letters = hooks.taps[0].axes.of(tuple(x.shape))
    inputs = x.shape[letters.index("n")]
    places = math.prod(size for letter, size in zip(letters, x.shape, strict=True) if letter not in "nd")
    return inputs * taken_of(places), inputs


PER_CASE = 4


def taken(before: tuple[int, ...], after: tuple[int, ...], x: Any) -> bool:
    """Whether one side of a call was recorded: of a real tensor with values, and its tap has not refused it."""
    return before == after and isinstance(x, Tensor) and not x.is_meta


def errors(monitor: PolarMonitor) -> tuple[int, ...]:
    hooks = monitor._loop.hooks
    assert hooks is not None
    return tuple(tap.errors for tap in hooks.taps)


@example(
    sent=[torch.empty(0, 1), torch.empty(0, 1, 1, 1, 1), torch.ones(1, 2, 1, 1, 1), None],
    others=[None] * 4,
    paired=False,
)
@example(
    sent=[torch.empty(0, 1), torch.empty(0, 1, 2, 1, 2), torch.empty(0, 2, 2, 1, 1), None],
    others=[None] * 4,
    paired=False,
)
@example(
    sent=[torch.empty(0, 1), torch.empty(0, 0, 2, 0, 0), torch.ones(1, 1, 2, 1, 1), None],
    others=[None] * 4,
    paired=False,
)
@example(
    sent=[torch.empty(0, 1), torch.empty(0, 0, 1, 0, 0), torch.empty(0, 1, 1, 1, 1), None],
    others=[None] * 4,
    paired=False,
)
@settings(suppress_health_check=list(HealthCheck))
@given(
    sent=st.lists(tensors(), min_size=PER_CASE, max_size=PER_CASE),
    others=st.lists(st.one_of(st.none(), tensors()), min_size=PER_CASE, max_size=PER_CASE),
    paired=st.booleans(),
)
def test_whatever_a_module_returns_nothing_is_raised_and_every_row_is_accounted_for(
    sent: list[Any], others: list[Any], paired: bool
) -> None:
    """Mean and spread alike, or (drawn apart) not at all alike: either may be refused, the counts stay exact."""
    model = Given()
    options = {"logvar": "logvar"} if paired else {}
    no_pause = {"modes": ("train", "eval")}
    monitor = watched(model, mean="mu", strict=False, every=PER_CASE, window=512, **no_pause, **options)
    due = empty = calls = most = 0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for x, other in zip(sent, others, strict=True):
            before = errors(monitor)
            out, _ = model(x, (x if other is None else other) if paired else None)
            assert out is x
            if taken(before[:1], errors(monitor)[:1], x):
                count, inputs = rows_and_inputs(monitor, x)
                due += count
                empty += inputs == 0
                calls += 1
            else:  # rows that are given up are reported as far as their number is known
                tensors = x if isinstance(x, list | tuple) else [x]
                places = monitor._loop.pipelines["train"].ring.rows_per_input  # of an input, as far as is known
                most += sum(places * math.prod(max(n, 1) for n in t.shape) for t in tensors if isinstance(t, Tensor))
            monitor.step()
    assert all(warning.category is PolarMonitorWarning for warning in caught)
    loop = monitor._loop
    refused = loop.pipelines["train"].ring.refused
    assert total(monitor) == due + refused
    assert refused <= most
    health = monitor.health()
    assert (health.rows_empty, health.calls) == (empty, calls)
    assert health.evaluations == 1 or health.errors
    assert monitor.attached
    monitor.detach()


# -- what is no real number -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("paired", [False, True])
def test_complex_outputs_are_refused_and_told_once(paired: bool) -> None:
    """The real part alone would be another latent; torch would warn and take it."""
    model = Given()
    monitor = watched(model, mean="mu", strict=False, every=2, **({"logvar": "logvar"} if paired else {}))
    x = torch.randn(8, 2, dtype=torch.complex64)
    with warned() as caught:
        stepped(model, 10, lambda step: model(x, x.real if paired else None))
    health = monitor.health()
    assert (health.errors, health.rows_seen, health.rows_dropped) == (10, 0, 80)
    assert len(caught) == 1
    assert "expected real numbers, got torch.complex64: pass mean=lambda out" in caught[0]


@pytest.mark.parametrize("dtype", WHOLE)
def test_whole_numbers_and_truth_values_are_the_numbers_they_are(dtype: torch.dtype) -> None:
    """A code of bits or of integers is read as 0, 1, 2 …: what `.float()` would give."""
    x = torch.randint(0, 3, (512, 2), generator=torch.Generator().manual_seed(0)).to(dtype)
    snapshots = []
    for codes in (x, x.float()):
        model, monitor = watching()
        model(codes)
        monitor.step()
        assert (monitor.health().rows_seen, monitor.health().errors) == (512, 0)
        snapshots.append(monitor.snapshot())
    assert same(*(s.to_dict() for s in snapshots))


@pytest.mark.parametrize("shape", [(), (3, 0), (3, 0, 2)])
def test_a_shape_without_dimensions_is_refused_in_words(shape: tuple[int, ...]) -> None:
    model, monitor = watching(every=2)
    model(torch.zeros(shape))
    assert monitor.health().last_error.endswith(f"expected (n, D) with at least one dimension, got shape {shape}")
