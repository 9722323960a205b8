"""Promise 5: the window holds the newest rows, each once, mean and spread of one row together, whatever happens.

Each row carries its number in its mean and in its variance.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor, nn
from watching import watched

import polar_monitor
from polar_monitor import PolarMonitor
from polar_monitor.capture.tap import Tap

WINDOW = 512
PACKAGE = str(Path(polar_monitor.__file__).parent)


class Given(nn.Module):
    """A model whose mean and variance are what it is given."""

    def __init__(self, width: int = 2) -> None:
        super().__init__()
        self.mu, self.var = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        for head in (self.mu, self.var):
            head.weight = nn.Parameter(torch.eye(width))
        self.between: Callable[[], None] = lambda: None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.mu(x)
        self.between()
        return mean, self.var(x)


class Run:
    """A training whose rows are numbered from 1."""

    def __init__(self, **options: Any) -> None:
        options = {"every": 5, "window": WINDOW, "modes": ("train", "eval"), "strict": False, **options}
        self.model, self.sent, self.options = Given(), 0, options
        self.attach()

    def attach(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.monitor = watched(self.model, mean="mu", var="var", **self.options)
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.0)
        self.forward: Any = self.model

    def rows(self, n: int) -> Tensor:
        self.sent += n
        numbers = torch.arange(self.sent - n + 1, self.sent + 1, dtype=torch.float32)
        return torch.stack([numbers, numbers % 97 + 1], 1)

    def call(self, n: int) -> None:
        self.forward(self.rows(n))

    def step(self, n: int = 0) -> None:
        if n:
            self.call(n)
        self.optimizer.step()

    def resume(self) -> None:
        """Save, and go on with another model and monitor."""
        state = self.monitor.state_dict()
        self.monitor.detach()
        self.model = Given()
        self.attach()
        self.monitor.load_state_dict(state)

    def counted(self) -> int:
        health = self.monitor.health()
        return health.rows_seen + health.rows_skipped + health.rows_dropped


def window(monitor: PolarMonitor) -> np.ndarray[Any, Any]:
    """The numbers of the rows in the window, the oldest first; their variances must be theirs."""
    stream = monitor._loop.pipelines["train"].stream
    if stream is None:
        return np.empty(0)
    mean, variance, _ = stream._ring.columns()
    assert variance is not None
    assert np.array_equal(mean, variance), "a mean has the variance of another row"
    return np.roll(mean[0], -stream._ring.place) if stream._ring.filled == stream.window else mean[0]


def expect_newest(run: Run, last: int | None = None) -> None:
    """All rows until `last` are in, the window holds the newest of them, and all are counted."""
    last = run.sent if last is None else last
    run.monitor.state_dict()  # takes in what waits
    expected = np.arange(max(last - WINDOW, 0) + 1, last + 1)
    assert np.array_equal(window(run.monitor), expected)
    assert run.counted() == last


# -- sizes, compilers, checkpoints ------------------------------------------------------------------------------------

SIZES = st.one_of(st.integers(1, 40), st.sampled_from([256, 511, 512, 513, 1023, 1024, 1025, 3000]))
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("step"), SIZES),
        st.tuples(st.just("call"), SIZES),
        st.tuples(st.sampled_from(["save", "evaluate", "resume", "look", "eval", "detached"]), st.just(0)),
    ),
    min_size=1,
    max_size=25,
)


def play(run: Run, kind: str, size: int) -> None:
    match kind:
        case "step" | "call":
            (run.step if kind == "step" else run.call)(size)
        case "save":
            run.monitor.state_dict()
        case "evaluate":
            run.monitor.evaluate()
        case "resume":
            run.step()  # no forward is open
            run.resume()
        case "look":
            run.monitor.evaluate(torch.full((8, 2), 3.0))
        case "eval":
            run.model.eval()
            run.model(torch.full((30, 2), 5.0))
            run.model.train()
        case "detached":
            with run.monitor.detached():
                run.model(torch.full((30, 2), 7.0))


@given(EVENTS)
def test_the_window_holds_the_newest_rows_after_any_events(events: list[tuple[str, int]]) -> None:
    run, before = Run(), 0
    for kind, size in events:
        if kind == "resume":
            before = run.sent
        play(run, kind, size)
        if kind in ("save", "resume"):
            run.monitor.state_dict()
            numbers = window(run.monitor)
            assert np.array_equal(numbers, np.arange(max(run.sent - WINDOW, 0) + 1, run.sent + 1))
    run.step()
    assert before <= run.sent
    run.monitor.state_dict()
    train = run.monitor._loop.pipelines["train"]
    assert np.array_equal(window(run.monitor), np.arange(max(run.sent - WINDOW, 0) + 1, run.sent + 1))
    assert train.seen + train.skipped + train.rows_dropped == run.sent
    run.monitor.detach()


@pytest.mark.parametrize(
    ("options", "sizes"),
    [({}, (128, 3000)), ({}, (5000, 5000)), ({"dynamic": True, "fullgraph": True}, (1024, 1, 1025, 20, 5000))],
)
def test_compiled_batches_of_any_size_keep_their_pairs(options: dict[str, Any], sizes: tuple[int, ...]) -> None:
    torch._dynamo.reset()
    torch.set_num_threads(2)  # copies to one place twice would come in any order
    try:
        run = Run()
        run.forward = torch.compile(run.model, backend="eager", **options)
        for step in range(24):
            run.step(sizes[step % len(sizes)])
            if step % 7 == 6:
                run.monitor.evaluate()
                assert window(run.monitor)[-1] == run.sent
        expect_newest(run)
    finally:
        torch.set_num_threads(1)
        torch._dynamo.reset()


@pytest.mark.parametrize("dimensions", [2048, 5000])
def test_a_wide_latent_has_the_newest_rows_too(dimensions: int) -> None:
    model = Given(1)
    model.mu = model.var = nn.Identity()  # type: ignore[assignment]
    model.head = nn.Identity()
    model.var = model.head
    monitor = watched(model, mean="mu", var="head", every=100, modes=("train", "eval"))
    sent = 0
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.0)
    for _ in range(20):
        numbers = torch.arange(sent + 1, sent + 501, dtype=torch.float32)
        model(numbers[:, None].expand(-1, dimensions))
        monitor.step()
        sent += 500
    optimizer.step()
    monitor._loop.ingest_pending()
    numbers_seen = window(monitor)
    assert np.array_equal(numbers_seen, np.arange(sent - len(numbers_seen) + 1, sent + 1))
    assert len(numbers_seen) == monitor._loop.pipelines["train"].stream.window  # type: ignore[union-attr]
    assert monitor.health().rows_dropped == 0
    monitor.detach()


# -- a look changes nothing --------------------------------------------------------------------------------------------


def course(saves: set[int], resumes: set[int] = frozenset(), **options: Any) -> tuple[Any, ...]:  # type: ignore[assignment]
    """Labels, alerts and counts of a run in which a dimension fades; the same but for what is saved and resumed."""
    draw, labels = torch.Generator().manual_seed(8), []
    run = Run(every=20, **options)
    for step in range(1, 121):
        left = max(0.0, 1 - max(0, step - 41) / 40)
        mean = torch.randn(100, 2, generator=draw) * torch.tensor([1.0, left])
        run.model.var.weight.data.zero_()
        run.model.var.bias = nn.Parameter(torch.tensor([0.02, 0.02 + 0.98 * (1 - left)]))
        run.model(mean)
        run.optimizer.step()
        if step in saves:
            run.monitor.state_dict()
        if step in resumes:
            run.resume()
        if step % 20 == 0:
            labels.append([str(label) for label in run.monitor.regime().latest])  # type: ignore[union-attr]
    snapshot, health = run.monitor.snapshot(), run.monitor.health()
    assert snapshot is not None
    alerts = [(alert.step, str(alert.kind), alert.dimension) for alert in run.monitor.alerts]
    numbers = (health.rows_seen, health.rows_skipped, health.rows_dropped, snapshot.rows, snapshot.n)
    stream = run.monitor._loop.pipelines["train"].stream
    assert stream is not None
    histogram = stream._histogram.state_dict()
    run.monitor.detach()
    return labels, alerts, numbers, {key: np.array(value).tolist() for key, value in histogram.items()}


@pytest.mark.parametrize("saves", [{11}, {3, 25, 38}, set(range(1, 121)), {20, 40, 59, 61}])
def test_a_checkpoint_changes_nothing_of_what_comes_after(saves: set[int]) -> None:
    plain = course(set())
    for one, other in zip(plain, course(saves), strict=True):
        assert one == other


def test_a_resumed_run_says_what_the_uninterrupted_one_says() -> None:
    plain, resumed = course(set()), course(set(), {13, 52})
    assert plain[:2] == resumed[:2]
    assert plain[2] == resumed[2]
    assert plain[3] == resumed[3]


# -- Ctrl-C ------------------------------------------------------------------------------------------------------------


class Interrupt:
    """Raises KeyboardInterrupt at the k-th line of ours that runs, once."""

    def __init__(self, after: int) -> None:
        self.left, self.raised = after, False

    def __call__(self, frame: Any, event: str, arg: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line":
            self.left -= 1
            if self.left < 0 and not self.raised:
                self.raised = True
                raise KeyboardInterrupt
        return self

    def __enter__(self) -> Interrupt:
        self._before = sys.gettrace()
        sys.settrace(self)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)


def interrupted(after: int, first: int) -> tuple[Run, bool]:
    """A notebook: an interrupt at some line from some step on, then the loop goes on."""
    run, raised = Run(every=3), False
    for step in range(18):
        try:
            with Interrupt(after if step >= first and not raised else 10**9) as interrupt:
                run.step(100)
        except KeyboardInterrupt:
            pass
        raised |= interrupt.raised
    run.monitor.state_dict()
    return run, raised


@example(849, 4)
@example(1083, 4)
@given(st.integers(0, 1500), st.integers(4, 6))
def test_rows_are_counted_and_paired_through_an_interrupt_anywhere(after: int, first: int) -> None:
    run, raised = interrupted(after, first)
    numbers = window(run.monitor)  # which looks at the pairs
    assert (np.diff(numbers) > 0).all(), "a row is there twice, or rows are out of order"
    assert numbers[-1] == run.sent
    assert run.sent - 100 * raised <= run.counted() <= run.sent + 100 * raised
    assert run.monitor.attached
    run.monitor.detach()


@pytest.mark.parametrize("name", ["take", "wait", "_take", "evaluate"])
def test_rows_of_an_interrupted_evaluation_are_counted_exactly(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from polar_monitor.capture.transfer import HostTransfer
    from polar_monitor.monitor.pipeline import ModePipeline
    from polar_monitor.statistics import stream

    run, calls = Run(every=5), [0]
    owner: Any = {"take": stream, "wait": HostTransfer}.get(name, ModePipeline)
    works = getattr(owner, name)

    def broken(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] % 4 == 3:
            raise KeyboardInterrupt
        return works(*args, **kwargs)

    monkeypatch.setattr(owner, name, broken)
    for _ in range(60):
        try:
            run.step(64)
            if name == "wait":
                run.monitor.evaluate()
        except KeyboardInterrupt:
            pass
    monkeypatch.undo()
    run.monitor.evaluate()
    assert run.counted() == run.sent
    numbers = window(run.monitor)
    assert (np.diff(numbers) > 0).all()
    assert numbers[-1] == run.sent
    run.monitor.detach()


def test_a_transfer_that_was_not_taken_keeps_its_rows() -> None:
    """On a CPU it is a view of the ring, which the next forwards write to: one side of a half-done step first."""
    run = Run(every=1000)
    run.step(300)
    pipeline = run.monitor._loop.pipelines["train"]
    pipeline.request(1)
    run.step(300)
    run.monitor.state_dict()
    expect_newest(run)


# -- threads -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("watches", [True, False])
@pytest.mark.parametrize("threads", [2, 5])
def test_forwards_in_several_threads_keep_their_pairs(threads: int, watches: bool) -> None:
    """With and without a call of the model's own forward, and with a pause between mean and spread."""
    run, sent = Run(every=4), [0] * threads
    barrier = threading.Barrier(threads)
    pauses = [0.0, 0.0005, 0.001]

    def work(thread: int) -> None:
        event = threading.Event()
        draw = np.random.default_rng(thread)
        run_between = lambda: event.wait(pauses[int(draw.integers(3))])  # noqa: E731
        local.between = run_between
        barrier.wait()
        for call in range(60):
            n = int(draw.integers(1, 30))
            numbers = torch.arange(n, dtype=torch.float32) + 1000 * call + 100_000 * thread + 1
            x = torch.stack([numbers, numbers], 1)
            with torch.set_grad_enabled(watches):  # else calls without a gradient between them share their inputs
                (run.model if watches else run.model.forward)(x)
            sent[thread] += n
            if thread == 0 and call % 3 == 2:
                run.optimizer.step()

    local = threading.local()
    run.model.between = lambda: local.between()
    workers = [threading.Thread(target=work, args=(thread,)) for thread in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    run.optimizer.step()
    run.monitor.state_dict()
    numbers = window(run.monitor)
    assert len(np.unique(numbers)) == len(numbers)
    assert len(numbers) > 0
    assert run.counted() == sum(sent)
    run.monitor.detach()


def test_forwards_that_change_their_thread_are_all_recorded() -> None:
    run = Run(every=4)
    for step in range(12):
        for _ in range(2):
            worker = threading.Thread(target=run.call, args=(30,))
            worker.start()
            worker.join()
        run.step(20 if step % 2 else 0)
    expect_newest(run)
    run.monitor.detach()


# -- pauses ------------------------------------------------------------------------------------------------------------


def test_hooks_that_pause_leave_the_newest_recorded_rows() -> None:
    """The recorded steps are spread over the interval: of them the window has the last."""
    run, recorded = Run(every=20, modes=("train",)), np.empty(0)
    for step in range(100):
        if any(isinstance(hook, Tap) for hook in run.model.mu._forward_hooks.values()):  # not those of the search alone
            recorded = np.append(recorded, np.arange(run.sent + 1, run.sent + 201))
        run.step(200)
        if step % 20 == 19:
            assert np.array_equal(window(run.monitor), recorded[-WINDOW:])
            assert run.counted() == len(recorded)
    assert 1000 < len(recorded) < 15_000
    run.monitor.detach()
