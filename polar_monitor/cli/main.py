"""The command line: `polar-monitor demo`, `check` and `replay`. Data on standard output, messages on standard error.

Exit codes: 0 done, 1 an argument or a folder that cannot be used, 2 an unknown command or option, 130 interrupted, 141
where the reader of standard output has gone (`| head`), as a shell says it of any command. `check` and `replay` have
their own for what they find (`check.py`, `replay_command.py`).
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from .. import __version__
from . import check, replay

UNREAD = 128 + 13
"""The exit code of a command that SIGPIPE ended, which Python ignores: 13 is its number."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    try:
        try:
            return _run(arguments)
        finally:
            sys.stdout.flush()  # a reader that has gone is noticed here, and not as the interpreter ends
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is flushed as it ends
        return UNREAD


def _run(arguments: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="polar-monitor", description="See which latent dimensions of your model are active, passive or mixed."
    )
    parser.add_argument("--version", action="version", version=f"polar-monitor {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="train a β-VAE, watch it polarise, and see its collapse announced")
    demo.add_argument("--data", choices=("sprites", "digits"), default="sprites", help="what to train on")
    demo.add_argument("--headless", action="store_true", help="print plain lines instead of the live view")
    demo.add_argument("--log-dir", type=Path, help="folder of the run (default: a new one in runs/)")
    demo.add_argument("--seed", type=int, default=0, help="seed of the training (default: 0)")
    demo.add_argument("--steps", type=int, help="stop after so many steps")
    demo.set_defaults(run=_demo)
    labels = commands.add_parser("check", help="the labels of latents in an .npz or .npy file", epilog=check.CODES)
    check.add_arguments(labels)
    labels.set_defaults(run=check.run)
    again = commands.add_parser(
        "replay", help="the alerts of a recorded run again, under its own rules or others", epilog=replay.CODES
    )
    replay.add_arguments(again)
    again.set_defaults(run=replay.run)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except (ValueError, ImportError) as error:
        print(f"polar-monitor: {error}", file=sys.stderr)
        return 1


def _demo(options: argparse.Namespace) -> int:
    import torch

    from ..demo import run
    from ..sinks.console.plain import console

    plan = run.PLANS[options.data]
    steps = plan.steps if options.steps is None else max(1, min(options.steps, plan.steps))
    screen = console(steps, headless=True if options.headless else None)
    logging.getLogger("polar_monitor").addHandler(logging.NullHandler())  # the screen shows the alerts
    folder = options.log_dir or Path("runs") / f"polar-demo-{options.data}-{datetime.now():%Y%m%d-%H%M%S}"
    torch.manual_seed(options.seed)
    training = run.start(run.images(options.data), plan, sinks=(screen,), log_dir=folder)
    screen.say(training.monitor.explain().splitlines()[0])
    code = 0
    try:
        training.run(screen.say, steps)
    except KeyboardInterrupt:
        code = 130
    finally:
        training.monitor.detach()
    if code:
        print("interrupted; what was measured is kept")
    print("\n" + training.monitor.summary())
    for line in run.outcome(training.monitor):
        print(line)
    print(f"\nrun folder: {folder}\nsee it with: tensorboard --logdir {folder}")
    return code
