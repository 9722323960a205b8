"""Compile the kernels, or load them from the disk cache, ahead of training.

All are loaded at `attach` if this machine has compiled them before. Otherwise only those of light evaluations are
compiled there, and the others before the first evaluation: `attach` would take twice as long with them.
"""

from __future__ import annotations

import contextlib
import gc
import logging
from collections.abc import Iterator
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import log_line

if TYPE_CHECKING:
    from ..kernels._jit import Kernel


LIGHT = frozenset(
    {
        "crc32c",
        "differs",
        "dimensions",
        "follow",
        "inputs",
        "labels",
        "posterior",
        "probes",
        "quadrature",
        "repeats",
        "short",
        "steps",
        "take",
        "valley",
    }
)
"""Files of the kernels that a light evaluation calls."""


CHECKED, CHECKSUM = b"123456789", 0xE3069283
"""The usual test of a CRC-32C: these bytes have this checksum."""


def compile_kernels() -> None:
    """Prepare the kernels of light evaluations, and those of full ones if the disk cache has them all."""
    with _no_collection():
        kernels = _kernels()
        for kernel in kernels:
            if not kernel.load() and kernel.__module__.rpartition(".")[2] in LIGHT:
                kernel.compile()
        if all(kernel.compiled is not None for kernel in kernels):
            _evaluate_once()


def compile_missing() -> float:
    """Compile the kernels of full evaluations that are not ready; return the seconds that it took, 0 for none.

    It takes seconds once on a machine, before its first evaluation, and is no part of the monitor's overhead.
    """
    missing = [kernel for kernel in _kernels() if kernel.compiled is None]
    if not missing:
        return 0.0
    log_line(
        logging.WARNING,
        "polar_monitor compiles %d kernel%s before the first evaluation, once on this machine: some %s",
        len(missing),
        "s" * (len(missing) > 1),
        "ten seconds" if len(missing) > 3 else "seconds",
    )
    begin = perf_counter()
    with _no_collection():
        for kernel in missing:
            kernel.compile()
    seconds = perf_counter() - begin
    log_line(logging.INFO, "compiled the kernels of full evaluations in %.1f s; the next run loads them", seconds)
    return seconds


class Compilation(NamedTuple):
    """Result of `compile_all`."""

    kernels: int
    """Number of all kernels."""
    compiled: int
    """Number of those that the disk cache did not have."""
    seconds: float
    folder: str | None
    """Folder of the disk cache; None if no place is writable."""


def compile_all() -> Compilation:
    """Compile all kernels of evaluations that the disk cache does not have."""
    from ..kernels import crc32c  # noqa: F401

    with _no_collection():
        begin, kernels = perf_counter(), list(_kernels())
        missing = [kernel for kernel in kernels if not kernel.load()]
        for kernel in missing:
            kernel.compile()
    return Compilation(len(kernels), len(missing), perf_counter() - begin, kernels[0].compiled.stats.cache_path)


class CompilerTest(NamedTuple):
    """Result of `compiler_test`."""

    seconds: float
    """Time to compile a small kernel without the disk cache, the start of the compiler included."""
    correct: bool
    """True if its result is the one that is known."""
    kernels: int
    cached: int
    """Number of the kernels that the disk cache has."""
    folder: str | None
    """Folder of the disk cache; None if no place is writable."""


def compiler_test() -> CompilerTest:
    """Compile a small kernel, run it, and look up which kernels the disk cache has; compile no other."""
    from ..kernels.crc32c import crc32c

    with _no_collection():
        begin = perf_counter()
        compiled = crc32c.compile_anew()
        seconds = perf_counter() - begin
        kernels = list(_kernels())
        cached = sum(kernel.load() for kernel in kernels)
        crc32c.compile()
    correct = compiled(np.frombuffer(CHECKED, np.uint8).copy()) == CHECKSUM
    return CompilerTest(seconds, correct, len(kernels), cached, crc32c.compiled.stats.cache_path)


def _kernels() -> list[Kernel]:
    """Return all kernels that an evaluation calls."""
    from ..kernels import _jit
    from ..kernels.judging import differs, follow, labels  # noqa: F401
    from . import stream  # noqa: F401

    return _jit.KERNELS


def _evaluate_once() -> None:
    """Evaluate a small window of each kind: the first calls of NumPy's functions are slow too."""
    from .stream import LatentStream

    rows = np.linspace(-1, 1, 1200, dtype=np.float32).reshape(600, 2) ** 3
    for variance in (None, np.full_like(rows, 0.5)):
        stream = LatentStream(2, window=512, has_variance=variance is not None)
        stream.update(rows, variance)
        stream.snapshot(step=0)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Switch off garbage collection: a compiler makes many objects, and each collection would visit the whole host."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
