"""`polar-monitor doctor`: versions, kernel cache, writable places and a compile test, as a bug report needs them."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import describe
from .screen import columns, complain, show, show_json

COMMAND = "polar-monitor doctor"
DESCRIPTION = (
    "Print versions, the kernel cache, the places that are written to, and a compile test: paste it into a bug report."
)
CODES = "exit codes: 0 everything works; 1 a check failed"
NEEDED = ("torch", "numba", "llvmlite", "numpy", "tensorboard", "pillow")
OPTIONAL = (
    "rich", "matplotlib", "uplot-python", "scikit-learn", "scipy", "pandas", "polars", "pyarrow", "argcomplete",
    "lightning",
)  # fmt: skip
VARIABLES = ("NUMBA_CACHE_DIR", "NUMBA_DISABLE_JIT", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "NO_COLOR", "TERM")
"""Environment variables that change what the package does."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    complain(COMMAND, "looks at the machine, and compiles one small kernel: a few seconds")
    tables, tests = {"versions": versions(), "environment": environment()}, checks()
    if options.json:
        show_json(tables | {"checks": tests})
    else:
        for title, pairs in tables.items():
            show(f"{title}\n{columns([[f'  {name}', value or '-'] for name, value in pairs.items()])}\n")
        rows = [[f"  {'ok' if one['ok'] else 'FAILED'}", one["name"], one["text"]] for one in tests]
        show(f"checks\n{columns(rows)}")
    return int(not all(one["ok"] for one in tests))


def versions() -> dict[str, str | None]:
    """Return the version of the package, of Python and of each library; None for one that is not installed."""
    known: dict[str, str | None] = {"polar-monitor": __version__}
    known["python"] = f"{platform.python_version()} ({platform.python_implementation()}) at {sys.executable}"
    known["platform"] = f"{platform.platform()}, {os.cpu_count()} processors"
    for name in (*NEEDED, *OPTIONAL):
        try:
            known[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            known[name] = None
    return known


def environment() -> dict[str, str | None]:
    """Return where the package lies, the devices of torch, and variables of the environment."""
    known: dict[str, str | None] = {"package": str(Path(__file__).parents[1]), "devices": _devices()}
    return known | {name: os.environ.get(name) for name in VARIABLES}


def checks() -> list[dict[str, Any]]:
    """Return the checks, each with `name`, `ok` and `text`."""
    places = {"folder of runs": Path("runs"), "temporary files": Path(tempfile.gettempdir())}
    return [*_compiler(), *(_writable(name, place) for name, place in places.items())]


def _devices() -> str:
    try:
        import torch

        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return ", ".join(["cpu", *names])
    except Exception as failure:  # a library that does not load is what this command is asked about
        return f"unknown: {describe(failure)}"


def _compiler() -> list[dict[str, Any]]:
    """Return the checks of the compiler and of its cache."""
    try:
        from ..statistics.precompile import compiler_test

        test = compiler_test()
    except Exception as failure:
        return [_check("compile test", False, describe(failure))]
    result = "the result is right" if test.correct else "the result is WRONG"
    cache = f"{test.cached} of {test.kernels} kernels in {test.folder}"
    if test.folder is None:
        cache = "no writable place: every process compiles; set NUMBA_CACHE_DIR=/path/of/a/folder"
    elif test.cached < test.kernels:
        cache += "; polar-monitor compile makes the others"
    return [
        _check("compile test", test.correct, f"one kernel in {test.seconds:.1f} s, {result}"),
        _check("kernel cache", test.folder is not None, cache),
    ]


def _writable(name: str, place: Path) -> dict[str, Any]:
    """Return the check of a folder, or of the nearest one above it that exists, by a file that is written there."""
    place = place.absolute()
    there = next(folder for folder in (place, *place.parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"polar-monitor")
            file.flush()
    except OSError as error:
        return _check(name, False, f"{there} is not writable: {error.strerror or error}")
    return _check(name, True, f"{place} is writable")


def _check(name: str, ok: bool, text: str) -> dict[str, Any]:
    return {"name": name, "ok": ok, "text": text}
