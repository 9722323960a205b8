"""`polar-monitor demo`: train a β-VAE with the live view, and see its collapse announced."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import PolarMonitorError
from .parser import integer, one_of
from .screen import complain, show, show_json

if TYPE_CHECKING:
    from ..sinks.console.live import LiveConsole
    from ..sinks.console.plain import PlainConsole

COMMAND = "polar-monitor demo"
DESCRIPTION = "Train a small β-VAE for some minutes, with a live view, and see its collapse announced."
DATA = ("sprites", "digits")
INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--data", type=one_of(DATA), choices=DATA, default="sprites", help="what to train on")
    parser.add_argument("--headless", action="store_true", help="print plain lines instead of the live view")
    parser.add_argument("--log-dir", type=Path, help="folder of the run (default: a new one in runs/)")
    parser.add_argument("--seed", type=integer(0), default=0, help="seed of the training (default: 0)")
    parser.add_argument("--steps", type=integer(1), help="stop after so many steps")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object at the end; the lines go to standard error"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from ..demo import run

    plan = run.PLANS[options.data]
    steps = plan.steps if options.steps is None else min(options.steps, plan.steps)
    if options.steps is not None and options.steps > steps:
        complain(COMMAND, f"the demo of {options.data} has {steps:,} steps, and ends there")
    screen, say = _screen(options, steps)
    logging.getLogger("polar_monitor").addHandler(logging.NullHandler())  # the screen shows the alerts
    folder = options.log_dir or Path("runs") / f"polar-demo-{options.data}-{datetime.now():%Y%m%d-%H%M%S}"
    try:
        training = run.start(run.images(options.data), plan, sinks=(screen,), log_dir=folder, seed=options.seed)
    except PolarMonitorError as error:
        reason, _, advice = str(error).removeprefix("log_dir: ").partition(";")
        raise PolarMonitorError(f"{reason}; pass another folder with --log-dir" if advice else reason) from None
    screen.say(training.monitor.explain().splitlines()[0])
    code = 0
    try:
        training.run(screen.say, steps)
    except KeyboardInterrupt:
        code = INTERRUPTED
    finally:
        training.monitor.detach()
    if code:
        say("interrupted; all measurements so far are kept")
    say("\n" + training.monitor.summary())
    for line in run.outcome(training.monitor):
        say(line)
    say(f"\nrun folder: {folder}\nsee it with: tensorboard --logdir {folder}")
    if options.json:
        from ..views.latest import latest
        from ..views.log import RunLog

        log = RunLog(folder / "polar.jsonl")
        log.refresh()
        show_json({"folder": str(folder), "interrupted": bool(code), "latents": latest(log)})
    return code


def _screen(options: argparse.Namespace, steps: int) -> tuple[PlainConsole | LiveConsole, Callable[[str], None]]:
    """Return the sink that shows the training, and a function that prints a line when it is over."""
    from ..sinks.console.plain import PlainConsole, console

    if options.json:
        screen = PlainConsole(steps, sys.stderr)
        return screen, screen.say
    return console(steps, headless=True if options.headless else None), show
