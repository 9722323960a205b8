"""The command line: one command a file, imported when it is asked for, so that `--help` waits for no library.

Data goes to standard output, words about it to standard error. Exit codes of all commands: `CODES`.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from .. import __version__
from ..errors import PolarMonitorError
from .parser import Parser, closest
from .screen import complain

COMMANDS = {
    "demo": "train a β-VAE that polarises and then collapses, live",
    "report": "runs as one HTML file, as Markdown or as a picture",
    "tail": "follow a run while it trains, a line for each evaluation",
    "compare": "runs side by side in a table: verdict, in use, nats, alerts",
    "check": "the labels of a run or of latents in a file, and an exit code",
    "replay": "the alerts of a recorded run again, by its rules or others",
    "export": "the numbers of runs as tidy records: CSV, Parquet or JSON",
    "doctor": "versions, cache, writable places: what a bug report needs",
    "compile": "compile the kernels ahead, such as in an image",
    "completion": "the script that completes these commands in your shell",
}
CODES = (
    "exit codes: 0 done; 1 the answer is no, where a command has one (check, replay, doctor); 2 a path, a file or an "
    "argument that cannot be used; 130 interrupted; 141 the reader of standard output has gone"
)
INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended."""
BROKEN_PIPE = 128 + 13
"""Exit code of a command that SIGPIPE ended. Python ignores the signal; 13 is its number."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        try:
            return _run(list(sys.argv[1:] if arguments is None else arguments))
        finally:
            sys.stdout.flush()  # raises here if the reader has gone, and not while the interpreter ends
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # takes the last flush of the interpreter
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED


def parser(wanted: Sequence[str]) -> Parser:
    """Build the parser, with the options of the commands that are `wanted`; each is run by `options.run`."""
    top = Parser(
        prog="polar-monitor",
        description="See which latent dimensions of your model are active, passive or mixed.",
        epilog=CODES,
    )
    top.add_argument("--version", action="version", version=f"polar-monitor {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name, line in COMMANDS.items():
        of_command = commands.add_parser(name, help=line)
        if name in wanted:
            module = importlib.import_module(f".{name}", __package__)
            of_command.description = module.DESCRIPTION
            of_command.epilog = getattr(module, "CODES", CODES)
            module.add_arguments(of_command)
            of_command.set_defaults(run=module.run, parser=of_command)
    return top


def _run(words: list[str]) -> int:
    if "_ARGCOMPLETE" in os.environ:  # a shell asks what may come next
        import argcomplete

        argcomplete.autocomplete(parser(list(COMMANDS)))
    name = next((word for word in words if not word.startswith("-")), "")
    top = parser([name])
    if name and name not in COMMANDS:
        top.error(f"no command {name!r}{closest(name, COMMANDS)}")
    options, unknown = top.parse_known_args(words)
    if unknown:
        options.parser.refuse(unknown)
    try:
        return int(options.run(options))
    except BrokenPipeError:
        raise
    except (PolarMonitorError, ImportError) as error:
        message = str(error)
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    complain(f"polar-monitor {name}", message)
    return 2
