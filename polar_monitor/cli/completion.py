"""`polar-monitor completion`: the script by which a shell completes commands and options, from argcomplete."""

from __future__ import annotations

import argparse

from .parser import one_of
from .screen import show

DESCRIPTION = (
    'Print the script that completes polar-monitor in a shell. bash and zsh: eval "$(polar-monitor completion bash)" '
    "in the shell's start file; fish: polar-monitor completion fish | source. It needs argcomplete: "
    "pip install argcomplete."
)
CODES = "exit codes: 0 done; 2 an unknown shell, or argcomplete is not installed"
SHELLS = ("bash", "zsh", "fish")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("shell", type=one_of(SHELLS), choices=SHELLS, help="the shell that is to complete")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    try:
        from argcomplete.shell_integration import shellcode
    except ImportError as missing:
        raise ImportError("completion needs argcomplete: pip install argcomplete") from missing
    show(shellcode(["polar-monitor"], shell=options.shell))
    return 0
