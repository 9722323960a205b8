"""Choose the means, their spread and a prior among the arrays of a file, by their names and never by a guess.

An array of the means' shape under an unknown name may be the spread. Without it the latents would be judged as the code
of an autoencoder, so the command stops until an option names the array.
"""

from __future__ import annotations

import argparse

from ...discovery import vocabulary
from ...errors import PolarMonitorError
from .npz import ArrayFile

MEANS, SPREADS, PRIORS = vocabulary.MEAN_KEYS, vocabulary.SPREAD_KEYS, vocabulary.PRIOR_KEYS
OTHERS = (
    "z", "zs", "sample", "samples", "z_sample", "z_samples", "eps", "noise", "x", "input", "inputs", "y", "label",
    "labels", "target", "targets", "factor", "factors",
)  # fmt: skip
"""Names that are no spread's: of draws, of inputs and of what is known of them; so are all that begin with "prior"."""
MAX_LISTED = 25
"""Names in one message."""


def choose(file: ArrayFile, options: argparse.Namespace) -> dict[str, str]:
    """Return the keys to read, by "mean", the spread's unit, "prior_mean" and "prior_var".

    Raises PolarMonitorError if the names leave a choice.
    """
    named = [kind for kind in SPREADS if getattr(options, kind)]
    if len(named) + options.no_spread > 1:
        flags = [f"--{kind}" for kind in named] + ["--no-spread"] * options.no_spread
        raise PolarMonitorError(f"expected one spread, got {' and '.join(flags)}: pass one of them")
    if file.names == ("",):
        given = [word for word in ("mean", *SPREADS, "prior") if getattr(options, word)]
        if given:
            raise PolarMonitorError(f"--{given[0]}: an .npy file has no keys: write both arrays with numpy.savez")
        return {"mean": ""}
    keys = {"mean": _key(file, options.mean, MEANS, "mean")}
    if not keys["mean"]:
        raise PolarMonitorError(f"{file.path}: expected a key for the means: pass --mean KEY, {_content(file)}")
    if options.prior:
        keys |= {word: _key(file, key, (), "prior") for word, key in zip(PRIORS, options.prior, strict=True)}
    if options.no_spread:
        return keys
    spreads = {kind: _key(file, getattr(options, kind), SPREADS[kind], kind) for kind in named or SPREADS}
    spreads = {kind: key for kind, key in spreads.items() if key}
    if len(spreads) > 1:
        flags = [f"--{kind} {key}" for kind, key in spreads.items()]
        raise PolarMonitorError(
            f"{file.path}: expected one spread, got {', '.join(spreads.values())}: pass {' or '.join(flags)}"
        )
    if not spreads:
        _check_no_other(file, keys)
    return keys | spreads


def _check_no_other(file: ArrayFile, keys: dict[str, str]) -> None:
    """Raise PolarMonitorError for arrays beside the means that may be their spread."""
    shape, _ = file.header(keys["mean"])
    doubtful = [
        name
        for name in file.names
        if name not in keys.values()
        and name.lower() not in (*MEANS, *OTHERS)
        and not name.lower().startswith("prior")
        and _may_be_a_spread(file, name, shape)
    ]
    if doubtful:
        raise PolarMonitorError(
            f"{file.path}: expected a spread under a usual name, got arrays of the means' shape {shape} that may be "
            f"it: {_some(doubtful)}: pass --var KEY, --std KEY, --logvar KEY or --logstd KEY, or --no-spread to judge "
            "the means alone"
        )


def _may_be_a_spread(file: ArrayFile, name: str, shape: tuple[int, ...]) -> bool:
    other, dtype = file.header(name)
    return other == shape != () and dtype.kind in "fiu"


def _key(file: ArrayFile, given: str | None, usual: tuple[str, ...], word: str) -> str:
    """Return the given key, or the only usual one in the file; '' for none."""
    if given is not None:
        if given not in file.names:
            raise PolarMonitorError(f"--{word}: {file.path} has no key {given!r}, {_content(file)}")
        return given
    there = [name for name in file.names if name.lower() in usual]
    if len(there) > 1:
        raise PolarMonitorError(f"{file.path}: expected one {word}, got {', '.join(there)}: pass --{word} KEY")
    return there[0] if there else ""


def _content(file: ArrayFile) -> str:
    return f"the file has {_some(file.names) or 'no arrays'}"


def _some(names: tuple[str, ...] | list[str]) -> str:
    more = len(names) - MAX_LISTED
    return ", ".join(names[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")
