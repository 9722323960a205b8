"""Which arrays of a file are the means, their spread and a prior: by their names, and never by a guess.

An array of the means' shape under a name that says nothing may be the spread under a name of its own, without which an
autoencoder would be judged. It is an error until an option says what it is.
"""

from __future__ import annotations

import argparse

from ..discovery import vocabulary
from ..errors import PolarMonitorError
from .npz import Stored

MEANS, SPREADS, PRIORS = vocabulary.MEAN_KEYS, vocabulary.SPREAD_KEYS, vocabulary.PRIOR_KEYS
OTHERS = (
    "z", "zs", "sample", "samples", "z_sample", "z_samples", "eps", "noise", "x", "input", "inputs", "y", "label",
    "labels", "target", "targets", "factor", "factors",
)  # fmt: skip
"""Names that are no spread's: of draws, of inputs and of what is known of them; so are all that begin with "prior"."""
LISTED = 25
"""Most names that a message lists."""


def find(stored: Stored, options: argparse.Namespace) -> dict[str, str]:
    """The keys to read, by "mean", the spread's unit, "prior_mean" and "prior_var".

    Raises PolarMonitorError where the names leave a choice.
    """
    named = [kind for kind in SPREADS if getattr(options, kind)]
    if len(named) + options.no_spread > 1:
        flags = [f"--{kind}" for kind in named] + ["--no-spread"] * options.no_spread
        raise PolarMonitorError(f"expected one spread, got {' and '.join(flags)}: pass one of them")
    if stored.names == ("",):
        given = [word for word in ("mean", *SPREADS, "prior") if getattr(options, word)]
        if given:
            raise PolarMonitorError(f"--{given[0]}: an .npy file has no keys: write both sides with numpy.savez")
        return {"mean": ""}
    found = {"mean": _one(stored, options.mean, MEANS, "mean")}
    if not found["mean"]:
        raise PolarMonitorError(f"{stored.path}: expected a key for the means: pass --mean KEY, {_listed(stored)}")
    if options.prior:
        found |= {word: _one(stored, key, (), "prior") for word, key in zip(PRIORS, options.prior, strict=True)}
    if options.no_spread:
        return found
    spreads = {kind: _one(stored, getattr(options, kind), SPREADS[kind], kind) for kind in named or SPREADS}
    spreads = {kind: key for kind, key in spreads.items() if key}
    if len(spreads) > 1:
        flags = [f"--{kind} {key}" for kind, key in spreads.items()]
        raise PolarMonitorError(
            f"{stored.path}: expected one spread, got {', '.join(spreads.values())}: pass {' or '.join(flags)}"
        )
    if not spreads:
        _check_no_other(stored, found)
    return found | spreads


def _check_no_other(stored: Stored, found: dict[str, str]) -> None:
    """Raise PolarMonitorError for arrays beside the means that may be their spread."""
    shape, _ = stored.header(found["mean"])
    doubtful = [
        name
        for name in stored.names
        if name not in found.values()
        and name.lower() not in (*MEANS, *OTHERS)
        and not name.lower().startswith("prior")
        and _may_be_a_spread(stored, name, shape)
    ]
    if doubtful:
        raise PolarMonitorError(
            f"{stored.path}: expected a spread under a usual name, got arrays of the means' shape {shape} that may be "
            f"it: {_some(doubtful)}: pass --var KEY, --std KEY or --logvar KEY, or --no-spread to judge the means alone"
        )


def _may_be_a_spread(stored: Stored, name: str, shape: tuple[int, ...]) -> bool:
    other, dtype = stored.header(name)
    return other == shape != () and dtype.kind in "fiu"


def _one(stored: Stored, given: str | None, usual: tuple[str, ...], word: str) -> str:
    """The key that was given, or the only usual one that is there; '' for none."""
    if given is not None:
        if given not in stored.names:
            raise PolarMonitorError(f"--{word}: {stored.path} has no key {given!r}, {_listed(stored)}")
        return given
    there = [name for name in stored.names if name.lower() in usual]
    if len(there) > 1:
        raise PolarMonitorError(f"{stored.path}: expected one {word}, got {', '.join(there)}: pass --{word} KEY")
    return there[0] if there else ""


def _listed(stored: Stored) -> str:
    return f"the file has {_some(stored.names) or 'no arrays'}"


def _some(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
