"""`polar-monitor check`: the labels of a run or of latents in a file, and an exit code for scripts and CI."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..discovery.vocabulary import MEAN_KEYS, PRIOR_KEYS, SPREAD_KEYS
from ..errors import PolarMonitorError
from .arrays.standard_input import local_copy, name_of
from .check_run import check_run, listed, rest_line
from .gate import COMMAND, CONDITIONS, NAMES, OF_RUNS, exit_code
from .parser import one_of
from .screen import complain, show, show_json

if TYPE_CHECKING:
    from ..regime.regime import Regime

DESCRIPTION = (
    "Print the label of each latent dimension, and the verdict: of a run as it stands now, or of latents in an .npz or "
    ".npy file."
)
CODES = (
    "exit codes: 0 judged; 1 judged, and a condition of --fail-on holds; 2 a run, a file or an argument that cannot be "
    "used, or --fail-on with latents that cannot be judged"
)
MAX_DIMENSIONS = 2**15
"""Dimensions that are judged: each is compared with all others, which takes a minute or two for so many."""
OF_ARRAYS = ("mean", *SPREAD_KEYS, "layout", "no_spread", "prior", "resolution", "criterion")
"""Options that are about the arrays of a file."""

SPREAD_MEANINGS = {
    "logvar": "log-variances, log σ²",
    "var": "variances, σ²",
    "std": "standard deviations, σ",
    "logstd": "log σ",
}
"""Spread that each option names."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "file",
        type=Path,
        metavar="RUN|FILE",
        help="folder of a run or its .jsonl; .npz with mean and spread, or .npy with the means alone; - for any of "
        "these files on standard input",
    )
    parser.add_argument(
        "--mean", metavar="KEY", help=f"key of the means (default: the only one of {', '.join(MEAN_KEYS)})"
    )
    for kind, names in SPREAD_KEYS.items():
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
    parser.add_argument(
        "--criterion", help='"information" (default), or a published criterion; of a file, not of a run'
    )
    parser.add_argument(
        "--fail-on",
        action="append",
        type=one_of(NAMES),
        choices=NAMES,
        default=[],
        help="exit with 1 if this holds (fading and lost: of a run); may be repeated",
    )
    parser.add_argument(
        "--all", action="store_true", help="a row for each dimension, also for hundreds of passive ones"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    with local_copy(options.file) as path:
        try:
            if not _is_run(path):
                return _check_arrays(path, options)
            _refuse_options_of_arrays(options)
            return check_run(path, name_of(options.file), options.fail_on, options.json, options.all)
        except PolarMonitorError as error:
            raise PolarMonitorError(as_options(str(error).replace(str(path), name_of(options.file)))) from None
        except MemoryError:
            raise PolarMonitorError(f"{name_of(options.file)}: too many dimensions for this machine's memory") from None


def _refuse_options_of_arrays(options: argparse.Namespace) -> None:
    given = [name for name in OF_ARRAYS if getattr(options, name) not in (None, False)]
    if given:
        raise PolarMonitorError(f"--{given[0].replace('_', '-')}: expected a file of arrays, as a run has its labels")


def _check_arrays(path: Path, options: argparse.Namespace) -> int:
    if wrong := [name for name in options.fail_on if name in OF_RUNS]:
        raise PolarMonitorError(f"--fail-on {wrong[0]}: expected a run, as a file of latents has no alerts")
    keys, regime, doubt = _judge(path, options)
    counts = Counter(map(str, regime.labels))
    failed = [name for name in options.fail_on if CONDITIONS[name](regime.verdict, counts)]
    if options.json:
        show_json(_as_json(options, keys, regime, failed))
    else:
        show(table(regime, options.all))
    if doubt:
        complain(COMMAND, as_options(doubt))
    return exit_code(options.fail_on, failed, [(regime.verdict, regime.reasons)])


def table(regime: Regime, everything: bool = False) -> str:
    """Return the verdict and the dimensions as plain text."""
    from ..regime.label import Label

    s = regime.snapshot
    assert s is not None
    counts = ", ".join(f"{regime.count(label)} {label}" for label in Label if regime.count(label))
    lines = [
        f"{s.rows} rows, {s.dimensions} dimensions: {regime.verdict}; {counts}",
        *(f"  {as_options(reason)}" for reason in regime.reasons),
        "",
    ]
    which, rest = listed([str(label) for label in regime.labels], (), everything)
    lines += ["  dim  label        nats      ± se  reliability      KL  in use by  not finite"] * bool(which)
    for j in which:
        numbers = (
            (s.information[j], ">6.3f"),
            (s.information_se[j], ">8.3f"),
            (s.reliability[j], ">11.3f"),
            (s.kl[j], ">6.2f"),
            (s.share_active[j], ">9.0%"),
            (s.non_finite[j], ">10.0f"),
        )
        cells = (format(v, form) if v == v else "-".rjust(int(form[1:].split(".")[0])) for v, form in numbers)
        lines.append(f"  {j:>3}  {regime.labels[j]:<10} {'  '.join(cells)}")
    return "\n".join([*lines, *rest_line(rest, s.information.tolist())])


def as_options(message: str) -> str:
    """Return a message about arguments of `classify` with the options of the command in their place.

    Example:
        >>> as_options("is it a variance? Then pass var=")
        'is it a variance? Then pass --var KEY'
    """
    message = re.sub(rf"\b({'|'.join(SPREAD_KEYS)})=", r"--\1 KEY", message)
    message = re.sub(r"\blayout=", "--layout ", message)
    return re.sub(r"\bresolution=", "--resolution TAU", message)


def _is_run(path: Path) -> bool:
    """Return True for a folder, a .jsonl and a file that begins as one."""
    if path.is_dir() or path.suffix == ".jsonl":
        return True
    try:
        with path.open("rb") as file:
            return file.read(1) == b"{"
    except OSError:
        return False  # the reader of arrays says why


def _judge(path: Path, options: argparse.Namespace) -> tuple[dict[str, str], Regime, str]:
    """Return the keys that were read, the regime, and a doubt about the unit of the spread or ''."""
    from ..arrays.layout import axes_of, checked_layout, dimensions_of
    from ..offline.classify import judged
    from .arrays import npz_keys
    from .arrays.npz import ArrayFile

    with ArrayFile(path) as file:
        keys = npz_keys.choose(file, options)
        arrays: dict[str, Any] = {word: file.array(key) for word, key in keys.items()}
    for word, array in arrays.items():
        if array.shape != arrays["mean"].shape:
            raise PolarMonitorError(f"{keys[word]}: expected shape {arrays['mean'].shape}, got {array.shape}")
    letters = axes_of(checked_layout(options.layout), arrays["mean"].ndim)
    width = dimensions_of(letters, arrays["mean"].shape)
    if width > MAX_DIMENSIONS:
        raise PolarMonitorError(
            f"{keys['mean'] or path}: expected at most {MAX_DIMENSIONS:,} dimensions, as the time grows with "
            f"their square, got {width:,}: save some of them, such as mean[:, ::{-(-width // MAX_DIMENSIONS)}]"
        )
    prior = tuple(arrays[word] for word in PRIOR_KEYS) if options.prior else None
    kind = next((kind for kind in SPREAD_KEYS if kind in arrays), None)
    spread = None if kind is None else arrays[kind]
    criterion = options.criterion or "information"
    return keys, *judged(arrays["mean"], kind, spread, prior, options.resolution, criterion, options.layout)


def _as_json(options: argparse.Namespace, keys: dict[str, str], regime: Regime, failed: list[str]) -> dict[str, Any]:
    """Return the object that `--json` prints; unknown numbers are null."""
    assert regime.snapshot is not None
    return {
        "file": name_of(options.file),
        "keys": keys,
        "failed": failed,
        "regime": regime.to_dict(),
        "snapshot": regime.snapshot.to_dict(),
    }
