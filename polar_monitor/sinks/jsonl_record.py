"""One evaluation as one line of a log, and back.

A line is strict JSON in UTF-8. Its snapshot has every statistic that is known, rounded as `statistics.rounding` says:

* one number where all dimensions have the same, as most counts have;
* a list of numbers for up to 64 dimensions, null where a number is not known;
* base64 text for more dimensions: the first 3 bytes of each float32, 2 of a standard error, most significant one first;
  deflated, with "z:" before it, where much of it recurs (`DEFLATED`).

A statistic that is not there is not known, as many are in a light evaluation. Labels are their first letters. Of the
answers behind the labels and the evidence against them a line has what is not usual, by its place. Few lines have
histograms, for the views.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.finite_json import finite_json
from ..arrays.short_floats import DECIMALS, Array, packed_text, shortened, unpacked
from ..evaluation import VERSION as PLAIN_VERSION
from ..evaluation import Evaluation
from ..kernels.light.kinds import CONSTANT, VARYING
from ..regime.evidence import QUESTIONS
from ..regime.label import Label
from ..regime.regime import Regime
from ..statistics.rounding import COUNTS, SIZES
from ..statistics.snapshot import Snapshot, unknown
from .scalars import LETTERS, label_letters

VERSION = 2
"""Version of a line. Lines of version 1 are `Evaluation.to_dict`; they are still read."""
MAX_LISTED = 64
"""Dimensions up to which a statistic is a list of numbers."""
MAX_DIMENSIONS = 2**20
"""Most dimensions of a line that is read: one number may stand for all of them."""
USUAL_SIDES = {Label.PASSIVE: 0b010110, Label.UNDECIDED: 0b010101, Label.MIXED: 0b101001, Label.ACTIVE: 0b011001}
"""`Regime.sides` of most dimensions with a label: a line has the other ones."""
ROW_SIZES = dict.fromkeys(COUNTS, 0) | SIZES
"""Bytes of each array of a snapshot by name, in the order of a line; 0 of a count."""
SELDOM = frozenset({"gain", "upper_kind", "upper_kind_se"})
"""Statistics that are often known for some dimensions only."""
DEFLATED = SELDOM | {name for name, size in SIZES.items() if size == 2}
"""Statistics whose text is deflated: exponents are half of a standard error, and recur."""
DIGITS = {name: DECIMALS[size] for name, size in SIZES.items()} | dict.fromkeys(COUNTS, 17)
"""Decimal digits with which the number that is read is the one that was written."""
SINGLES = {f.name: f.type for f in fields(Snapshot) if f.type in ("int", "float", "bool")}
"""Numbers of a snapshot that are no arrays, with their types."""


def to_line(
    evaluation: Evaluation, setup: Mapping[str, Any] | None = None, histograms: Mapping[str, Any] | None = None
) -> bytes:
    """Return an evaluation as one line with its newline. `setup` is used if the evaluation has none.

    A line may have `histograms`, as `distributions` returns them, which readers of evaluations leave out.
    """
    data = evaluation.plain_head() | {"version": VERSION}
    if evaluation.setup is None and setup is not None:
        data["setup"] = setup
    if evaluation.regime is not None:
        data["regime"] = _plain_regime(evaluation.regime)
    if histograms is not None:
        data["distributions"] = histograms
    snapshot = "null" if evaluation.snapshot is None else f"{{{','.join(_members(evaluation.snapshot))}}}"
    return f'{_dumps(data)[:-1]},"snapshot":{snapshot}}}\n'.encode()


def from_data(data: Mapping[str, Any]) -> Evaluation:
    """Return the evaluation of a line that was decoded from JSON.

    Raises ValueError for another version, and KeyError, TypeError or ValueError for what is no record.
    """
    if data["version"] == PLAIN_VERSION:
        return Evaluation.from_dict(data)
    if data["version"] != VERSION:
        raise ValueError(f"expected a record of version {PLAIN_VERSION} or {VERSION}, got version {data['version']}")
    snapshot, regime = data["snapshot"], data.get("regime")
    if snapshot is not None:
        snapshot = _full_snapshot(snapshot)
    if regime is not None:
        regime = _full_regime(regime)
    return Evaluation.from_dict({**data, "version": PLAIN_VERSION, "snapshot": snapshot, "regime": regime})


def _dumps(data: Any) -> str:
    try:
        return _encode(data)
    except ValueError:  # a NaN, as in the evidence of an alert: rare, so not looked for above
        return _encode(finite_json(data))


_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":"), default=finite_json).encode


def _plain_regime(regime: Regime) -> dict[str, Any]:
    data = regime.to_dict()
    data["labels"] = label_letters(regime.labels)
    if regime.latest == regime.labels:
        del data["latest"]
    else:
        data["latest"] = label_letters(regime.latest)
    if len(set(regime.sides)) == 1:
        data["sides"] = regime.sides[0]
    elif regime.sides:
        usual = (USUAL_SIDES[label] for label in regime.labels)
        pairs = enumerate(zip(regime.sides, usual, strict=True))
        data["sides"] = {i: side for i, (side, other) in pairs if side != other}
    data["evidence"] = {i: total for i, total in enumerate(regime.evidence) if total}
    return data


def _full_regime(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a regime with a number for each dimension. Logs of older versions have neither answers nor evidence."""
    labels = data["labels"]
    full = {**data, "labels": _labels(labels), "latest": _labels(data.get("latest", labels))}
    n, sides, evidence = len(labels), data.get("sides", []), data.get("evidence", {})
    if isinstance(sides, int):
        sides = [sides] * n
    elif isinstance(sides, dict):
        sides = _placed(sides, [USUAL_SIDES[label] for label in full["labels"]])
    elif sides != []:
        raise TypeError(f"expected answers about the dimensions, got {str(sides)[:40]!r}")
    evidence = _placed(evidence, [0.0] * (QUESTIONS * n if sides else 0))
    return full | {"sides": sides, "evidence": evidence}


def _placed(numbers: Any, usual: list[Any]) -> list[Any]:
    """Put the numbers of a line, by their places, among the usual ones."""
    if not isinstance(numbers, dict):
        raise TypeError(f"expected numbers by their places, got {str(numbers)[:40]!r}")
    for place, number in numbers.items():
        if not 0 <= int(place) < len(usual):
            raise ValueError(f"expected a place below {len(usual)}, got {str(place)[:40]!r}")
        usual[int(place)] = number
    return usual


def _labels(text: Any) -> list[Label]:
    if not isinstance(text, str) or not LETTERS.keys() >= set(text):
        raise ValueError(f"expected labels of the letters {', '.join(LETTERS)}, got {str(text)[:40]!r}")
    return [LETTERS[letter] for letter in text]


def _members(snapshot: Snapshot) -> Iterator[str]:
    """Yield the JSON of each statistic that is known, with its name."""
    values, D = vars(snapshot), snapshot.dimensions
    yield _dumps({"dimensions": D} | {name: values[name] for name in SINGLES if values[name] == values[name]})[1:-1]
    missing, listed = unknown(D), D <= MAX_LISTED
    names = tuple([name for name in ROW_SIZES if values[name] is not missing])
    short = shortened(np.array([values[name] for name in names]), _sizes(names), pack=not listed)
    numbers = (short.values if listed else short.values[:, :1]).tolist()
    for place, (name, kind, row) in enumerate(zip(names, bytes(short.kinds), numbers, strict=True)):
        if kind == CONSTANT:
            yield f'"{name}":{row[0]:.{DIGITS[name]}g}'
        elif kind == VARYING and (listed or name in COUNTS):
            text = _list_format(DIGITS[name], D) % tuple(row if listed else short.values[place].tolist())
            yield f'"{name}":{text.replace("nan", "null")}'
        elif kind == VARYING:
            text = packed_text(short.packed[place, : D * SIZES[name]], deflate=name in DEFLATED)
            yield f'"{name}":"{text}"'


@functools.lru_cache(maxsize=64)
def _sizes(names: tuple[str, ...]) -> NDArray[np.int64]:
    return np.array([ROW_SIZES[name] for name in names])


@functools.lru_cache(maxsize=64)
def _list_format(digits: int, dimensions: int) -> str:
    """Return the format of a list of numbers with so many digits each."""
    return f"[{','.join([f'%.{digits}g'] * dimensions)}]"


def _full_snapshot(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return all statistics of a line as plain numbers and arrays; NaN for those that are not there."""
    D = data["dimensions"]
    if isinstance(D, bool) or not isinstance(D, int) or not 0 < D <= MAX_DIMENSIONS:
        raise ValueError(f"expected dimensions to be a number from 1 to {MAX_DIMENSIONS}, got {str(D)[:40]}")
    singles = {name: data.get(name) for name, kind in SINGLES.items() if name in data or kind == "float"}
    arrays = {name: _numbers(data.get(name), D) for name in COUNTS}
    arrays |= {name: _short(data.get(name), size, D) for name, size in SIZES.items()}
    return singles | {name: np.broadcast_to(array, D) for name, array in arrays.items()}


def _short(value: Any, size: int, dimensions: int) -> Array:
    if isinstance(value, str):
        return unpacked(value, size, dimensions)
    short = shortened(_numbers(value, dimensions)[None], _ONE_SIZE[size])
    return np.asarray(short.values[0])


def _numbers(value: Any, dimensions: int) -> Array:
    """Return a list of numbers as an array (D,), and one number, or None, as an array (1,)."""
    if not isinstance(value, list):
        value = [value]
    elif len(value) != dimensions:
        raise ValueError(f"expected {dimensions} numbers, got {len(value)}")
    return np.array([math.nan if v is None else v for v in value], np.float64)


_ONE_SIZE = {size: np.array([size]) for size in set(SIZES.values())}
