"""Shared set-up: imports by name, one thread for each process, repeated examples, one compile for all workers.

Hypothesis draws the same few examples every time, so that a failure comes from the change. To look for new ones:
`HYPOTHESIS_PROFILE=search python -m pytest -n auto`.
"""

from __future__ import annotations

import gc
import importlib
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "helpers")]
os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the subprocesses
torch.set_num_threads(1)
if threading.current_thread() is threading.main_thread():
    # a shell's background job ignores Ctrl-C, and the programs that tests interrupt would inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)
ALLOWED = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much)
settings.register_profile("repeat", max_examples=40, derandomize=True, deadline=None, suppress_health_check=ALLOWED)
settings.register_profile("search", max_examples=1000, deadline=None, suppress_health_check=ALLOWED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))


def pytest_configure(config: pytest.Config) -> None:
    """Find a writable folder for compiled kernels, and fill it before the workers start."""
    if hasattr(config, "workerinput"):
        return
    if not _writable(Path(os.environ.get("NUMBA_CACHE_DIR") or ROOT / "kernels" / "__pycache__")):
        folder = tempfile.mkdtemp(prefix="kernels-")
        os.environ["NUMBA_CACHE_DIR"] = folder  # read by numba, which nothing has imported so far
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    if config.getoption("numprocesses", None):
        for path in sorted((ROOT / "kernels").rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            importlib.import_module(f"polar_monitor.{name}")
        for kernel in importlib.import_module("polar_monitor.kernels._jit").KERNELS:
            kernel.compile()


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let a worker that is done take over tests of another: durations differ a thousandfold."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


def pytest_collection_finish() -> None:
    """Spare the garbage collector the libraries: tests that collect are several times faster."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_search_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search of a latent has time: what a test finds does not depend on the machine."""
    from polar_monitor.capture.search import first_forwards, near

    monkeypatch.setattr(near, "MAX_SECONDS", float("inf"))
    for limit in ("MAX_SECONDS", "MAX_SECONDS_OF_A_LOOK", "FREE_SECONDS"):
        monkeypatch.setattr(first_forwards, limit, float("inf"))


@pytest.fixture
def no_monitor_goes_on() -> Iterator[None]:
    """Detach what the code of a page leaves attached: its model may live on in a cycle, and hear other tests' steps."""
    from polar_monitor.monitor.sources.connection import attached_monitors

    before = set(attached_monitors)
    yield
    for model in set(attached_monitors) - before:
        for monitor in list(attached_monitors[model].values()):
            monitor.detach()
