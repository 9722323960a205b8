"""Which kernels are ready after `attach`, and which are compiled before the first evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from polar_monitor.kernels import _jit, crc32c, histogram, knn_1d, posterior
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
    monkeypatch.setattr(_jit, "KERNELS", [full, light])
    monkeypatch.setattr(precompile, "_evaluate_once", lambda: evaluated.append(1))
    precompile.compile_kernels()
    assert light.compiled is not None
    assert (full.compiled is not None) == cached == bool(evaluated)
    with caplog.at_level("INFO", "polar_monitor"):
        seconds = precompile.compile_missing()
    assert full.compiled is not None
    assert (seconds == 0.0) == cached
    assert ("compiled the kernels of full evaluations in 0.0 s" in caplog.text) != cached
    assert precompile.compile_missing() == 0.0


def test_the_files_of_light_kernels_exist() -> None:
    modules = {kernel.__module__.rpartition(".")[2] for kernel in precompile._kernels()}
    assert modules >= precompile.LIGHT
    assert {module.__name__.rpartition(".")[2] for module in (crc32c, posterior)} <= precompile.LIGHT
    assert not {module.__name__.rpartition(".")[2] for module in (histogram, knn_1d)} & precompile.LIGHT


def test_nothing_is_missing_after_an_evaluation() -> None:
    precompile.compile_kernels()
    precompile.compile_missing()
    stream = LatentStream(2, has_variance=False)
    stream.snapshot(step=0)
    assert all(kernel.compiled is not None for kernel in precompile._kernels())
