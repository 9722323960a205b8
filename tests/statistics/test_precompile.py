"""Which kernels are ready after `attach`, and which are compiled before the first evaluation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polar_monitor.kernels import _jit, crc32c
from polar_monitor.statistics import precompile
from polar_monitor.statistics.stream import LatentStream


class Kernel:
    """Stands in for a kernel."""

    def __init__(self, file: str, cached: bool) -> None:
        self.__module__ = f"polar_monitor.kernels.{file}"
        self.cached = cached
        self.compiled: Callable[..., Any] | None = None

    def load(self) -> bool:
        if self.cached:
            self.compiled = print
        return self.compiled is not None

    def compile(self) -> None:
        self.compiled = print


@pytest.mark.parametrize("cached", [True, False])
def test_attach_compiles_what_labels_need(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, cached: bool
) -> None:
    light, full = Kernel("posterior", False), Kernel("knn_1d", cached)
    evaluated: list[int] = []
    precompile._kernels()  # else they would enter the list of the stand-ins
    monkeypatch.setattr(_jit, "KERNELS", [full, light])
    monkeypatch.setattr(precompile, "_evaluate_once", lambda: evaluated.append(1))
    precompile.compile_kernels()
    assert light.compiled is not None
    assert (full.compiled is not None) == cached == bool(evaluated)
    with caplog.at_level("INFO", "polar_monitor"):
        seconds = precompile.compile_missing()
    assert full.compiled is not None
    assert (seconds == 0.0) == cached
    assert ("polar_monitor compiles 1 kernel before the first evaluation" in caplog.text) != cached
    assert ("compiled the kernels of full evaluations in 0.0 s" in caplog.text) != cached
    assert precompile.compile_missing() == 0.0


@pytest.mark.parametrize("per", [1, 4])
@pytest.mark.parametrize("has_variance", [True, False])
def test_a_light_evaluation_calls_light_kernels_alone(
    monkeypatch: pytest.MonkeyPatch, per: int, has_variance: bool
) -> None:
    called: set[str] = set()
    original = _jit.Kernel.__call__

    def record(kernel: _jit.Kernel, *arguments: Any) -> Any:
        called.add(kernel.__module__.rpartition(".")[2])
        return original(kernel, *arguments)

    rng = np.random.default_rng(0)
    mean = np.repeat(rng.normal(size=(700, 3)).astype(np.float32), 2, axis=0)
    variance = np.exp(rng.normal(size=mean.shape)).astype(np.float32) if has_variance else None
    mean[5, 0] = np.nan
    stream = LatentStream(3, has_variance=has_variance)
    monkeypatch.setattr(_jit.Kernel, "__call__", record)
    stream.update(mean, variance, per=per)
    stream.snapshot(step=0, full=False)
    assert called
    assert called <= precompile.LIGHT
    modules = {kernel.__module__.rpartition(".")[2] for kernel in precompile._kernels()}
    assert modules | {crc32c.__name__.rpartition(".")[2]} >= precompile.LIGHT


def test_nothing_is_missing_after_an_evaluation() -> None:
    precompile.compile_kernels()
    precompile.compile_missing()
    stream = LatentStream(2, has_variance=False)
    stream.snapshot(step=0)
    assert all(kernel.compiled is not None for kernel in precompile._kernels())


def test_all_kernels_are_compiled_once_and_said_where() -> None:
    first = precompile.compile_all()
    again = precompile.compile_all()
    assert first.kernels == again.kernels == len(precompile._kernels())
    assert again.compiled == 0
    assert again.folder == first.folder
    assert again.folder is not None
    assert Path(again.folder).is_dir()
