"""`polar-monitor check`: the labels of latents in a file, and an exit code for scripts and CI."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..arrays.layout import axes_of, checked_layout, dimensions_of
from ..errors import PolarMonitorError
from ..offline.classify import judged
from ..regime.label import Label
from ..regime.regime import Regime, Verdict
from . import npz_keys
from .npz import ArrayFile
from .npz_keys import MEANS, PRIORS, SPREADS
from .screen import complain, show, show_json

COMMAND = "polar-monitor check"
CODES = (
    "exit codes: 0 judged; 1 judged, and a condition of --fail-on holds; 2 a file or an argument that cannot be used, "
    "or --fail-on with latents that cannot be judged"
)
MAX_DIMENSIONS = 2**15
"""Dimensions that are judged: each is compared with all others, which takes a minute or two for so many."""
CONDITIONS: dict[str, Callable[[Regime], bool]] = {
    "collapse": lambda regime: regime.verdict is Verdict.COLLAPSED,
    "graded": lambda regime: regime.verdict is Verdict.GRADED,
    "passive": lambda regime: regime.count(Label.PASSIVE) > 0,
    "mixed": lambda regime: regime.count(Label.MIXED) > 0,
    "undecided": lambda regime: regime.count(Label.UNDECIDED) > 0,
}
"""Conditions of `--fail-on`: a verdict, or at least one dimension with a label."""

SPREAD_MEANINGS = {
    "logvar": "log-variances, log σ²",
    "var": "variances, σ²",
    "std": "standard deviations, σ",
    "logstd": "log σ",
}
"""Spread that each option names."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("file", type=Path, help=".npz with mean and spread, or .npy with the means alone")
    parser.add_argument("--mean", metavar="KEY", help=f"key of the means (default: the only one of {', '.join(MEANS)})")
    for kind, names in SPREADS.items():
        meaning = SPREAD_MEANINGS[kind]
        parser.add_argument(f"--{kind}", metavar="KEY", help=f"key of the {meaning} (default: {', '.join(names)})")
    parser.add_argument("--layout", help='axes of the arrays, as in "ntd": n inputs, d dimensions, others places')
    parser.add_argument("--no-spread", action="store_true", help="judge the means alone, as an autoencoder's code")
    parser.add_argument(
        "--prior",
        nargs=2,
        metavar=("MEAN", "VAR"),
        help="keys of a prior's mean and variance of each row: the rows are standardised by it",
    )
    parser.add_argument(
        "--resolution",
        type=float,
        metavar="TAU",
        help="without a spread: the noise at which the means are resolved, in their units (default: relative)",
    )
    parser.add_argument("--criterion", default="information", help='"information", or a published criterion')
    parser.add_argument(
        "--fail-on",
        action="append",
        choices=tuple(CONDITIONS),
        default=[],
        help="exit with 1 if this holds; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    try:
        keys, regime, doubt = _judge(options)
    except PolarMonitorError as error:
        complain(COMMAND, as_options(str(error)))
        return 2
    except MemoryError:
        complain(COMMAND, f"{options.file}: too many dimensions for this machine's memory")
        return 2
    failed = [name for name in options.fail_on if CONDITIONS[name](regime)]
    if options.json:
        show_json(_as_json(options.file, keys, regime, failed))
    else:
        show(table(regime))
    if doubt:
        complain(COMMAND, as_options(doubt))
    if failed:
        complain(COMMAND, f"{', '.join(failed)}: {regime.verdict}")
        return 1
    if options.fail_on and regime.verdict is Verdict.NOT_ESTIMABLE:
        complain(COMMAND, f"cannot be judged: {regime.reasons[0]}")
        return 2
    return 0


def table(regime: Regime) -> str:
    """Return the verdict and all dimensions as plain text."""
    s = regime.snapshot
    assert s is not None
    counts = ", ".join(f"{regime.count(label)} {label}" for label in Label if regime.count(label))
    lines = [
        f"{s.rows} rows, {s.dimensions} dimensions: {regime.verdict}; {counts}",
        *(f"  {as_options(reason)}" for reason in regime.reasons),
        "",
        "  dim  label        nats      ± se  reliability      KL  in use by  not finite",
    ]
    for j, label in enumerate(regime.labels):
        numbers = (
            (s.information[j], ">6.3f"),
            (s.information_se[j], ">8.3f"),
            (s.reliability[j], ">11.3f"),
            (s.kl[j], ">6.2f"),
            (s.share_active[j], ">9.0%"),
            (s.non_finite[j], ">10.0f"),
        )
        cells = (format(v, form) if v == v else "-".rjust(int(form[1:].split(".")[0])) for v, form in numbers)
        lines.append(f"  {j:>3}  {label:<10} {'  '.join(cells)}")
    return "\n".join(lines)


def as_options(message: str) -> str:
    """Return a message about arguments of `classify` with the options of the command in their place.

    Example:
        >>> as_options("is it a variance? Then pass var=")
        'is it a variance? Then pass --var KEY'
    """
    message = re.sub(rf"\b({'|'.join(SPREADS)})=", r"--\1 KEY", message)
    message = re.sub(r"\blayout=", "--layout ", message)
    return re.sub(r"\bresolution=", "--resolution TAU", message)


def _judge(options: argparse.Namespace) -> tuple[dict[str, str], Regime, str]:
    """Return the keys that were read, the regime, and a doubt about the unit of the spread or ''."""
    with ArrayFile(options.file) as file:
        keys = npz_keys.choose(file, options)
        arrays: dict[str, Any] = {word: file.array(key) for word, key in keys.items()}
    for word, array in arrays.items():
        if array.shape != arrays["mean"].shape:
            raise PolarMonitorError(f"{keys[word]}: expected shape {arrays['mean'].shape}, got {array.shape}")
    letters = axes_of(checked_layout(options.layout), arrays["mean"].ndim)
    width = dimensions_of(letters, arrays["mean"].shape)
    if width > MAX_DIMENSIONS:
        raise PolarMonitorError(
            f"{keys['mean'] or options.file}: expected at most {MAX_DIMENSIONS:,} dimensions, as the time grows with "
            f"their square, got {width:,}: save some of them, such as mean[:, ::{-(-width // MAX_DIMENSIONS)}]"
        )
    prior = tuple(arrays[word] for word in PRIORS) if options.prior else None
    kind = next((kind for kind in SPREADS if kind in arrays), None)
    spread = None if kind is None else arrays[kind]
    return keys, *judged(arrays["mean"], kind, spread, prior, options.resolution, options.criterion, options.layout)


def _as_json(file: Path, keys: dict[str, str], regime: Regime, failed: list[str]) -> dict[str, Any]:
    """Return the object that `--json` prints; unknown numbers are null."""
    assert regime.snapshot is not None
    return {
        "file": str(file),
        "keys": keys,
        "failed": failed,
        "regime": regime.to_dict(),
        "snapshot": regime.snapshot.to_dict(),
    }
