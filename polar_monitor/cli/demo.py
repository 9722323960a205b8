"""`polar-monitor demo`: train a β-VAE with the live view, and see its collapse announced."""

from __future__ import annotations

import argparse
import logging
from datetime import datetime
from pathlib import Path

from .screen import show

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--data", choices=("sprites", "digits"), default="sprites", help="what to train on")
    parser.add_argument("--headless", action="store_true", help="print plain lines instead of the live view")
    parser.add_argument("--log-dir", type=Path, help="folder of the run (default: a new one in runs/)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the training (default: 0)")
    parser.add_argument("--steps", type=int, help="stop after so many steps")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from ..demo import run
    from ..sinks.console.plain import console

    plan = run.PLANS[options.data]
    steps = plan.steps if options.steps is None else max(1, min(options.steps, plan.steps))
    screen = console(steps, headless=True if options.headless else None)
    logging.getLogger("polar_monitor").addHandler(logging.NullHandler())  # the screen shows the alerts
    folder = options.log_dir or Path("runs") / f"polar-demo-{options.data}-{datetime.now():%Y%m%d-%H%M%S}"
    training = run.start(run.images(options.data), plan, sinks=(screen,), log_dir=folder, seed=options.seed)
    screen.say(training.monitor.explain().splitlines()[0])
    code = 0
    try:
        training.run(screen.say, steps)
    except KeyboardInterrupt:
        code = INTERRUPTED
    finally:
        training.monitor.detach()
    if code:
        show("interrupted; all measurements so far are kept")
    show("\n" + training.monitor.summary())
    for line in run.outcome(training.monitor):
        show(line)
    show(f"\nrun folder: {folder}\nsee it with: tensorboard --logdir {folder}")
    return code
