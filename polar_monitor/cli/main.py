"""The command line: `polar-monitor demo`, `check`, `replay`, `report` and `compile`.

Data goes to standard output, messages to standard error.

Exit codes: 0 done, 1 an argument or a folder that cannot be used, 2 an unknown command or option, 130 interrupted, 141
if the reader of standard output has gone (`| head`), which is what a shell reports for any command. `check`,
`replay` and `report` give 1 and 2 a meaning of their own (`CODES` in their files).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from .. import __version__
from . import check, compile, demo, replay, report
from .screen import complain

BROKEN_PIPE = 128 + 13
"""Exit code of a command that SIGPIPE ended. Python ignores the signal; 13 is its number."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        try:
            return _run(arguments)
        finally:
            sys.stdout.flush()  # raises here if the reader has gone, and not while the interpreter ends
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # takes the last flush of the interpreter
        return BROKEN_PIPE


def parser() -> argparse.ArgumentParser:
    """Build the parser; each command adds its options and is run by `options.run`."""
    top = argparse.ArgumentParser(
        prog="polar-monitor", description="See which latent dimensions of your model are active, passive or mixed."
    )
    top.add_argument("--version", action="version", version=f"polar-monitor {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    of_demo = commands.add_parser("demo", help="train a β-VAE, watch it polarise, and see its collapse announced")
    demo.add_arguments(of_demo)
    of_demo.set_defaults(run=demo.run)
    of_check = commands.add_parser(
        "check",
        help="the labels of latents in an .npz or .npy file",
        description="Print the label of each latent dimension in an .npz or .npy file, and the verdict.",
        epilog=check.CODES,
    )
    check.add_arguments(of_check)
    of_check.set_defaults(run=check.run)
    of_replay = commands.add_parser(
        "replay",
        help="the alerts of a recorded run again, under its own rules or others",
        description="Evaluate the log of a run again, under its own rules or others, and compare the alerts.",
        epilog=replay.CODES,
    )
    replay.add_arguments(of_replay)
    of_replay.set_defaults(run=replay.run)
    of_report = commands.add_parser(
        "report",
        help="runs as one HTML file: lifelines, nats, the split, side by side",
        description="Write one HTML file that shows runs, which opens without network; or Markdown, or a picture.",
        epilog=report.CODES,
    )
    report.add_arguments(of_report)
    of_report.set_defaults(run=report.run)
    of_compile = commands.add_parser(
        "compile",
        help="compile the kernels before the first training, such as in an image",
        description="Compile the kernels of evaluations, so that no training waits for it. Needed once a version.",
    )
    compile.add_arguments(of_compile)
    of_compile.set_defaults(run=compile.run)
    return top


def _run(arguments: Sequence[str] | None) -> int:
    options = parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (ValueError, ImportError) as error:
        complain("polar-monitor", str(error))
        return 1
