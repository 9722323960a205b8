"""`polar-monitor compile`: compile the kernels ahead of the first training, such as while an image is built."""

from __future__ import annotations

import argparse

from .screen import show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command: there are none."""


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from ..statistics.precompile import compile_all

    done = compile_all()
    if done.folder is None:
        raise ValueError(
            "found no writable place for compiled kernels; expected one that later runs read too. Set one of your own: "
            "NUMBA_CACHE_DIR=/path/of/a/folder polar-monitor compile"
        )
    show(f"compiled {done.compiled} of {done.kernels} kernels in {done.seconds:.1f} s; they are in {done.folder}")
    return 0
