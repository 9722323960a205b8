"""One training composed at random from a table of circumstances, run with the monitor and without it."""

from __future__ import annotations

import copy
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import polar_monitor
from polar_monitor.capture.copies import OwnHook
from polar_monitor.sinks.jsonl import read_jsonl

STEPS = 60
TABLE: dict[str, tuple[Any, ...]] = {
    "head": ("linear", "tanh", "norm", "batch norm"),
    "numbers": ("float32", "bfloat16", "autocast"),
    "backend": (None, None, None, "eager", "aot_eager"),
    "arguments": ("named", "discovered", "no variance"),
    "every": (None, 1, 7),
    "modes": (("train",), ("train", "eval")),
    "window": (512, 4096),
    "batch": ((32,), (64, 7, 1500), (3000,)),
    "accumulation": (1, 1, 3),
    "checkpointing": (False, False, True),
    "average": (False, True),
    "thread": (False, False, True),
}
"""Circumstances of a whole run; one that is listed twice is twice as likely."""
EVENTS = (
    "save and resume", "state", "evaluate", "batch", "interrupt", "disk full", "folder deleted", "clock jumps",
    "rename", "replace", "copy", "validate", "detached", "attach again", "nan",
)  # fmt: skip
"""Events between two steps; each run has some, at random steps."""


class Scenario(NamedTuple):
    """All that a run depends on."""

    seed: int
    settings: dict[str, Any]
    events: dict[int, str]


def scenario(seed: int) -> Scenario:
    """Draw a scenario."""
    draw = random.Random(seed)
    settings = {name: draw.choice(choices) for name, choices in TABLE.items()}
    if settings["backend"]:
        settings |= {"checkpointing": False, "thread": False}
    return Scenario(seed, settings, {draw.randrange(2, STEPS): draw.choice(EVENTS) for _ in range(draw.randrange(7))})


class Vae(nn.Module):
    """A VAE that adds fixed noise."""

    def __init__(self, head: str, checkpointing: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(12, 16), nn.SiLU(), nn.Dropout(0.1))
        ends = {"tanh": [nn.Tanh()], "norm": [nn.LayerNorm(4)], "batch norm": [nn.BatchNorm1d(4)]}.get(head, [])
        self.fc_mu = nn.Sequential(nn.Linear(16, 4), *ends) if ends else nn.Linear(16, 4)
        self.fc_logvar, self.decoder = nn.Linear(16, 4), nn.Linear(4, 12)
        self.checkpointing = checkpointing

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance."""
        h = self.body(x)
        return self.fc_mu(h), self.fc_logvar(h)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return reconstruction, mean and log-variance."""
        mean, logvar = checkpoint(self.encode, x, use_reentrant=False) if self.checkpointing else self.encode(x)
        return self.decoder(mean + (0.5 * logvar).exp() * torch.randn_like(mean)), mean, logvar


class Left(NamedTuple):
    """What a run leaves behind."""

    numbers: dict[str, Any]
    problems: list[str]


def run(plan: Scenario, monitored: bool) -> Left:
    """Train as the scenario says."""
    torch._dynamo.reset()
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(plan.seed)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        return _Run(plan, monitored, folder).train()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Run:
    def __init__(self, plan: Scenario, monitored: bool, folder: Path) -> None:
        self.plan, self.settings, self.folder = plan, plan.settings, folder
        self.model = Vae(self.settings["head"], self.settings["checkpointing"])
        if self.settings["numbers"] == "bfloat16":
            self.model.bfloat16()
        self.monitored, self.monitor, self.problems = monitored, None, list[str]()
        self.full = self.touched = False
        self.sent, self.attached = 0, 0
        self.attach()
        backend = self.settings["backend"]
        self.forward: Any = self.model if backend is None else torch.compile(self.model, backend=backend)
        self.optimizer = torch.optim.Adam(self.model.parameters(), 1e-3)

    def attach(self) -> None:
        if not self.monitored:
            return
        named = {"mean": "fc_mu", "logvar": "fc_logvar"}
        arguments = {"named": named, "no variance": {"mean": "fc_mu"}}.get(self.settings["arguments"], {})
        options = {key: self.settings[key] for key in ("every", "modes", "window")}
        self.attached += 1
        self.log = self.folder / f"log{self.attached}"
        self.monitor = polar_monitor.attach(self.model, log_dir=self.log, **arguments, **options)

    def train(self) -> Left:
        average = torch.optim.swa_utils.AveragedModel(self.model) if self.settings["average"] else None
        for step in range(STEPS):
            event = self.plan.events.get(step, "")
            self.play(event)
            for _ in range(self.settings["accumulation"]):
                self.backward(step, event)
            self.step(event)
            if average is not None:
                average.update_parameters(self.model)
        numbers = {**self.model.state_dict(), "random numbers": torch.get_rng_state(), "python": random.random()}
        if average is not None:
            numbers |= {f"average {name}": value for name, value in average.state_dict().items()}
        if self.monitor is not None:
            self.end(self.monitor)
        return Left(numbers, self.problems)

    def backward(self, step: int, event: str) -> None:
        batches = self.settings["batch"]
        low = self.settings["numbers"] == "bfloat16"
        x = torch.randn(batches[step % len(batches)], 12).to(torch.bfloat16 if low else torch.float32)
        if event == "nan":
            x = x * float("nan")

        def work() -> None:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.settings["numbers"] == "autocast"):
                reconstruction, mean, logvar = self.forward(x)
            divergence = (mean.square() + logvar.exp() - logvar).float().mean()
            ((reconstruction - x).float().square().mean() + 0.1 * divergence).nan_to_num().backward()

        if self.settings["thread"]:
            in_thread(work)
        else:
            work()
        self.sent += len(x)

    def step(self, event: str) -> None:
        """Step, with an interrupt in the work of the monitor: the optimiser's own has been done then."""
        try:
            with interrupting(self.plan.seed if event == "interrupt" and self.monitored else None):
                self.optimizer.step()
        except KeyboardInterrupt:
            pass
        self.optimizer.zero_grad()

    def play(self, event: str) -> None:
        """Do what happens to both runs, and with the monitor what happens to it."""
        if event == "copy":
            copy.deepcopy(self.model)
        elif event == "rename":
            self.model.latent_head = self.model.fc_logvar
        elif event == "replace":
            old, self.model.fc_logvar = self.model.fc_logvar, copy.deepcopy(self.model.fc_logvar)
            self.model.fc_logvar.weight, self.model.fc_logvar.bias = old.weight, old.bias
            self.touched = True
        elif event == "validate":
            self.model.eval()
            with torch.no_grad():
                self.model(torch.zeros(20, 12, dtype=self.model.decoder.weight.dtype))
            self.model.train()
        if self.monitor is not None:
            self.play_monitor(self.monitor, event)

    def play_monitor(self, monitor: Any, event: str) -> None:
        if event == "state":
            monitor.state_dict()
        elif event == "evaluate":
            monitor.evaluate()
        elif event == "batch" and not self.touched:  # a module that is gone gives no latent, which is an error
            monitor.evaluate(torch.zeros(600, 12, dtype=self.model.decoder.weight.dtype))
        elif event == "save and resume" and not self.touched:
            state = monitor.state_dict()
            self.end(monitor)
            self.attach()
            self.monitor.load_state_dict(state)
            self.touched = True  # rows of two monitors
        elif event == "attach again":
            self.end(monitor)
            self.attach()
            self.sent = 0
        elif event == "detached":
            with monitor.detached():
                self.model.state_dict()
        elif event == "disk full":
            self.full = True
            for sink in monitor._outputs.group.sinks:
                sink.write = full_disk
        elif event == "folder deleted":
            self.full = True
            shutil.rmtree(self.log, ignore_errors=True)
        elif event == "clock jumps":
            works, ahead = time.perf_counter, random.Random(self.plan.seed).choice([-1e6, 1e6])
            time.perf_counter = lambda: works() + ahead

    def end(self, monitor: Any) -> None:
        """Detach, and look at what is left."""
        monitor.detach()
        health = monitor.health()
        counted = health.rows_seen + health.rows_skipped + health.rows_dropped
        exact = not self.touched and self.settings["modes"] == ("train", "eval") and self.settings["backend"] is None
        exact = exact and self.settings["arguments"] != "discovered" and "detached" not in self.plan.events.values()
        validated = 20 * (STEPS if "eval" in self.settings["modes"] else 0)
        if not self.touched and counted > self.sent + validated:
            self.problems.append(f"{counted} rows counted of {self.sent}")
        if exact and counted < self.sent - 3000 * ("interrupt" in self.plan.events.values()):
            self.problems.append(f"only {counted} rows counted of {self.sent}")
        if health.errors and not self.full:
            self.problems.append(f"{health.errors} errors: {health.last_error}")
        modules = list(self.model.modules())
        hooks = [hook for m in modules for table in (m._forward_hooks, m._forward_pre_hooks) for hook in table.values()]
        if any(isinstance(hook, OwnHook) for hook in hooks):
            self.problems.append("hooks are left on the model")
        if not self.full:
            try:
                read_jsonl(self.log / "polar.jsonl", strict=True)
            except Exception as failure:
                self.problems.append(f"the log cannot be read: {failure}")


def in_thread(work: Callable[[], None]) -> None:
    """Run in a thread of its own, with the random numbers of this one, and wait."""
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=guarded)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def full_disk(evaluation: Any) -> None:
    """Fail as a sink does on a full disk."""
    raise OSError(28, "No space left on device")


@contextmanager
def interrupting(seed: int | None) -> Iterator[None]:
    """Raise KeyboardInterrupt at a random line of the monitor's that runs in the block."""
    if seed is None:
        yield
        return
    package, left = str(Path(polar_monitor.__file__).parent), [random.Random(seed).randrange(400)]

    def trace(frame: Any, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(package):
            return None
        left[0] -= event == "line"
        if event == "line" and left[0] == 0:
            raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(None)
