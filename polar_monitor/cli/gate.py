"""Conditions of `polar-monitor check --fail-on`, and the exit code that follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from .screen import complain

COMMAND = "polar-monitor check"
CONDITIONS: dict[str, Callable[[str, Counter[str]], bool]] = {
    "collapse": lambda verdict, _: verdict == "collapsed",
    "graded": lambda verdict, _: verdict == "graded",
    "passive": lambda _, counts: counts["passive"] > 0,
    "mixed": lambda _, counts: counts["mixed"] > 0,
    "undecided": lambda _, counts: counts["undecided"] > 0,
}
"""Conditions of `--fail-on`: a verdict, or at least one dimension with a label."""
OF_RUNS = ("fading", "lost")
"""Further conditions, of a run: at least one dimension is fading or lost, as the alerts say, and has not recovered."""
NAMES = (*CONDITIONS, *OF_RUNS)


def exit_code(asked: Sequence[str], failed: Sequence[str], judged: Sequence[tuple[str, Sequence[str]]]) -> int:
    """Return the exit code for verdicts and their reasons, and say why it is not 0."""
    if failed:
        complain(COMMAND, f"{', '.join(failed)}: {', '.join(verdict for verdict, _ in judged)}")
        return 1
    for verdict, reasons in judged:
        if asked and verdict == "not_estimable":
            complain(COMMAND, f"cannot be judged: {reasons[0] if reasons else 'too few rows'}")
            return 2
    return 0
