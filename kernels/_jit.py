"""Compile policy of all kernels, in one place.

* ``nogil``: another Python thread of the host (a data loader, a writer) may run while a kernel does.
* ``error_model="numpy"``: 0/0 is NaN as in NumPy, not an exception in the middle of training.
* serial, never ``parallel``: numba's OpenMP layer kills forked children and two threads at once kill the process.
* no ``fastmath``: it deletes the checks for NaN, and an unchecked NaN index writes outside the array.
* explicit signatures: everything is compiled (or loaded from the disk cache) when the module is imported, which
  `polar_monitor.attach` does on the caller's thread. No training step ever waits for a compiler.
* no entry point that nobody calls: C calls no kernel, and Python no helper. Each costs time to compile.
* the disk cache is used where a writable place for it exists, and done without where not.
"""

from collections.abc import Callable
from typing import Any

import numba

Function = Callable[..., Any]
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
KERNELS: list[Any] = []


def kernel(*signatures: str) -> Callable[[Function], Function]:
    """Compile a function now, for these signatures only: a call with other types is a TypeError, not a compilation."""

    def compile_now(function: Function) -> Function:
        try:
            compiled = numba.njit(list(signatures), cache=True, **OPTIONS)(function)
        except (RuntimeError, OSError):  # "no locator available", a read-only or a full disk
            compiled = numba.njit(list(signatures), **OPTIONS)(function)
        KERNELS.append(compiled)
        return compiled  # type: ignore[no-any-return]

    return compile_now


def helper(function: Function) -> Function:
    """Make a function callable from kernels of the *same file*.

    numba's cache is renewed when the file of a kernel changes, not when a file it calls into does.
    """
    return numba.njit(no_cpython_wrapper=True, **OPTIONS)(function)  # type: ignore[no-any-return]


def inlined(function: Function) -> Function:
    """Insert a helper that has one caller into its source, so that it is compiled once and not separately too."""
    return numba.njit(inline="always", no_cpython_wrapper=True, **OPTIONS)(function)  # type: ignore[no-any-return]
