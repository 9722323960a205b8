"""Heads of a sample that no module takes: the pairs that may be, and what inner products of the rows say of them.

Where the model's own forward draws a sample z and gives z zᵀ, the number of rows i and j has mean μᵢ·μⱼ, and its
variance follows from μ and σ of both: the residual of all pairs has variance 1 for the true heads and unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

import numpy as np

from ..forms import FORMS, Form
from ..latents import line_for, name_hint
from ..pieces import Piece
from ..seen import F32, Seen
from ..step import Step
from .functional import MAX_LOGIT, candidates, relates_rows

PLAIN = tuple(form for form in FORMS if form.read is None and not form.laplace)
MAX_PIECES, MAX_ROWS = 24, 256
UNITS = 2
"""Units of each pair that are shown, as one step seldom separates log σ² from log σ."""


class HiddenPair(NamedTuple):
    """Mean and spread that may be of a sample which no hook has seen."""

    line: str
    words: str


def hidden_pairs(seen: Sequence[Seen]) -> list[HiddenPair]:
    """Return the pairs of tensors that may be mean and spread, the most likely first, each in its likeliest units."""
    data = _data(seen)
    if data is None:
        return []
    step = Step(seen)
    output = next((entry for entry in reversed(seen) if relates_rows(entry, data, seen)), None)
    products = None if output is None or output.shape != (data.shape[0],) * 2 else output.block
    matches: list[tuple[float, float, int, HiddenPair]] = []
    for pieces in step.pieces.values():
        own = _outermost([piece for piece in pieces if _may_be_hidden(piece, data)][-MAX_PIECES:])
        for i, j in np.argwhere(step.links(own)).tolist() if len(own) > 1 else ():
            forms = PLAIN if products is not None else PLAIN[:UNITS]
            tried = [(*_of_products(products, own[i], own[j], form), form) for form in forms]
            tried.sort(key=lambda one: one[0])
            for place, (_, variance, form) in enumerate(tried[:UNITS]):
                hint = name_hint(own[i].slot, own[j].slot, form.unit) - (i > j) / 4 - (own[i].slot.cut is not None)
                words = "no module takes a sample of them"
                if variance:
                    words = f"residual variance {variance:.2f} over the pairs of the model's output"
                line = line_for(own[i].slot, own[j].slot, "{s}", form.code, form.unit)
                matches.append((tried[0][0], -hint, place, HiddenPair(line, words)))
    return [pair for *_, pair in sorted(matches, key=lambda match: match[:3])]


def hidden_lines(seen: Sequence[Seen], limit: int) -> list[tuple[str, str]]:
    """Return at most so many lines for what the model's own forward may decode, with the reason for each."""
    data = _data(seen)
    if data is None:
        return []
    lines = [(pair.line, pair.words) for pair in hidden_pairs(seen)]
    narrow = dict.fromkeys(entry.module for entry in sorted(candidates(seen, data, data), key=lambda one: one.row_size))
    narrow = {name: None for name in narrow if not any(name.startswith(f"{other}.") for other in narrow)}
    codes = [(f'attach(model, mean="{name}")', "no module takes it; a code without a variance?") for name in narrow]
    return [*lines[: limit - min(len(codes), 2)], *codes[:2]] if lines else codes[:limit]


def _data(seen: Sequence[Seen]) -> Seen | None:
    """Return what the model itself takes."""
    return next((entry for entry in seen if entry.module == seen[0].module and not entry.is_output), None)


def _may_be_hidden(piece: Piece, data: Seen) -> bool:
    cut = piece.slot.cut
    is_plain = cut is None or (cut.kind == "half" and cut.axis == -1)
    width = int(np.prod(piece.shape[1:]))
    return is_plain and piece.slot.module != data.module and 0 < width < data.row_size and len(piece.shape) > 1


def _outermost(pieces: list[Piece]) -> list[Piece]:
    """Return pieces without those of modules inside another one that gives the same shape: it works on them further."""
    names = {(piece.slot.module, piece.shape) for piece in pieces}

    def is_inside(piece: Piece) -> bool:
        return any(piece.slot.module.startswith(f"{name}.") for name, shape in names if shape == piece.shape)

    return [piece for piece in pieces if not is_inside(piece)]


def _of_products(products: F32 | None, mean: Piece, spread: Piece, form: Form) -> tuple[float, float]:
    """Return the negative log-likelihood of inner products of rows, and their residual variance; zeros without them."""
    if products is None or mean.shape[:1] != spread.shape[:1]:
        return 0.0, 0.0
    count = min(len(products), len(mean.values), len(spread.values), MAX_ROWS)
    with np.errstate(all="ignore"):
        m = mean.values[:count].reshape(count, -1).astype(np.float64)
        variance = np.exp(2 * form.log_scale(spread.values[:count].reshape(count, -1).astype(np.float64)))
        y = products[:count, :count].astype(np.float64)
        y = np.log(y) - np.log1p(-y) if y.min() > 0 and y.max() < 1 else y
        expected = variance @ (m * m).T + (m * m) @ variance.T + variance @ variance.T
        keep = np.triu(np.abs(y) < MAX_LOGIT, 1)
        if not keep.any():
            return inf, 0.0
        ratio = np.square(y - m @ m.T)[keep] / expected[keep]
        unlikely = float((ratio + np.log(expected[keep])).mean() / 2)
    return (unlikely, float(ratio.mean())) if np.isfinite(unlikely) else (inf, 0.0)
