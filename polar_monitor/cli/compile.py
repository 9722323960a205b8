"""`polar-monitor compile`: compile the kernels ahead of the first training, such as while an image is built."""

from __future__ import annotations

import argparse

from ..errors import PolarMonitorError
from .screen import show, show_json

DESCRIPTION = "Compile the kernels of evaluations, so that no training waits for it. Needed once a version."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a line")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from ..statistics.precompile import compile_all

    done = compile_all()
    if done.folder is None:
        raise PolarMonitorError(
            "found no writable place for compiled kernels; expected one that later runs read too. Set one of your own: "
            "NUMBA_CACHE_DIR=/path/of/a/folder polar-monitor compile"
        )
    if options.json:
        show_json(done._asdict())
    else:
        show(f"compiled {done.compiled} of {done.kernels} kernels in {done.seconds:.1f} s; they are in {done.folder}")
    return 0
