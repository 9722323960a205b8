"""Compile policy of all kernels, in one place.

* ``nogil``: another Python thread of the host (a data loader, a writer) may run while a kernel does.
* ``error_model="numpy"``: 0/0 is NaN as in NumPy, not an exception in the middle of training.
* serial, never ``parallel``: numba's OpenMP layer kills forked children and two threads at once kill the process.
* no ``fastmath``: it deletes the checks for NaN, and an unchecked NaN index writes outside the array.
* explicit signatures: a kernel is compiled for these types only, and a call with other types is a TypeError.
* not at import, which is cheap: at the first call. `statistics/precompile` calls what training needs ahead of it.
* no entry point that nobody calls: C calls no kernel, and Python no helper. Each costs time to compile.
* no rewrites of array expressions: kernels have loops, and the search for such expressions takes time.
* no reference counts in functions that make no array: the caller keeps the arguments. Helpers return no arrays.
* the disk cache is used where a writable place for it exists, and done without where not.
"""

import functools
from collections.abc import Callable
from typing import Any

import numba

Function = Callable[..., Any]
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, "no_rewrites": True}
ALLOCATIONS = frozenset({"empty", "zeros", "full", "ones", "empty_like", "zeros_like"})
"""Names that a function which makes arrays contains."""
KNOWN_VERSIONS = (0, 61), (0, 68)
"""First and last version of numba that `_loaded` is known to fit."""
KERNELS: list["Kernel"] = []


class Kernel:
    """A function that is loaded from the disk cache, or compiled, at its first call."""

    def __init__(self, function: Function, signatures: tuple[str, ...]) -> None:
        functools.update_wrapper(self, function)
        self.py_func = function
        self._signatures = signatures
        self.compiled: Any = None
        """numba's dispatcher; None before the first call."""

    def __call__(self, *arguments: Any) -> Any:
        return (self.compile() if self.compiled is None else self.compiled)(*arguments)

    def compile(self) -> Any:
        """Return the compiled function."""
        if not self.load():
            signatures, options = list(self._signatures), _options(self.py_func)
            try:
                self.compiled = numba.njit(signatures, cache=True, **options)(self.py_func)
            except Exception:  # "no locator available", a read-only or a full disk, a damaged cache
                self.compiled = numba.njit(signatures, **options)(self.py_func)
        return self.compiled

    def compile_anew(self) -> Any:
        """Return the function compiled now, whatever the disk cache has: a test of the compiler."""
        return numba.njit(list(self._signatures), **_options(self.py_func))(self.py_func)

    def load(self) -> bool:
        """Load the kernel if the disk cache has it; return False, and compile nothing, if not."""
        if self.compiled is None:
            self.compiled = _loaded(self.py_func, self._signatures)
        return self.compiled is not None


def _options(function: Function) -> dict[str, Any]:
    """Return the options of one function."""
    return OPTIONS | {"_nrt": not ALLOCATIONS.isdisjoint(function.__code__.co_names)}


def _is_known() -> bool:
    """Return True if this version of numba is in the range of KNOWN_VERSIONS."""
    version = tuple(map(int, numba.__version__.split(".")[:2]))
    return KNOWN_VERSIONS[0] <= version <= KNOWN_VERSIONS[1]


def _loaded(function: Function, signatures: tuple[str, ...]) -> Any:
    """Return the dispatcher of a function that the disk cache has for all signatures, or None.

    numba does the same, but first starts its compiler, which takes a third of a second.
    """
    if not _is_known() or numba.config.DISABLE_JIT:
        return None
    try:
        from numba.core.compiler_lock import global_compiler_lock
        from numba.core.runtime import rtsys

        dispatcher = numba.njit(cache=True, **_options(function))(function)
        target, cache = dispatcher.targetctx, dispatcher._cache
        with global_compiler_lock:
            rtsys.initialize(target)  # symbols that the code of every kernel refers to
            for signature in signatures:
                result = cache._load_overload(signature, target)
                if result is None:
                    return None
                target.insert_user_function(result.entry_point, result.fndesc, [result.library])
                dispatcher.add_overload(result)
        dispatcher.disable_compile()
    except Exception:
        return None
    return dispatcher


def kernel(*signatures: str) -> Callable[[Function], Kernel]:
    """Make a function a kernel for these signatures only: a call with other types is a TypeError."""

    def register(function: Function) -> Kernel:
        KERNELS.append(Kernel(function, signatures))
        return KERNELS[-1]

    return register


def helper(function: Function) -> Function:
    """Make a function callable from kernels of the *same file*.

    numba's cache is renewed when the file of a kernel changes, not when a file it calls into does.
    """
    return numba.njit(no_cpython_wrapper=True, **_options(function))(function)  # type: ignore[no-any-return]


def inlined(function: Function) -> Function:
    """Insert a helper that has one caller into its source, so that it is compiled once and not separately too."""
    return numba.njit(inline="always", no_cpython_wrapper=True, **_options(function))(function)  # type: ignore[no-any-return]
