"""Worths as text: a table beside the information, and plain sentences where the two contradict each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..regime.label import INFORMATIVE_LABELS
from .replacements import WORDS

if TYPE_CHECKING:
    from .worth import Worth

MAX_RATIO = 2.0
"""Ratio of the encoder's σ to the decoder's, either way, from which on it is named."""
MAX_NAMED = 8
"""Dimensions that a sentence names."""


def table(w: Worth) -> str:
    """Format a table of all dimensions, and the sentences."""
    lines = [
        f"worth of each dimension in {w.unit}, over {w.rows:,} inputs: rise of the loss when it is replaced",
        f"  loss: {w.measure}; {_with_error(w.loss, w.loss_se)} with nothing replaced, "
        f"{'+' if w.total > 0 else ''}{_with_error(w.total, w.total_se)} with the complete code of another row",
        "",
        "  dim  " + "  ".join(_head(w)),
    ]
    lines += [f"  {j:>3}  " + "  ".join(_cells(w, j)) for j in range(len(w.worth))]
    if noted := list(sentences(w)):
        lines += ["", *(f"  {sentence}" for sentence in noted)]
    return "\n".join(lines)


def sentences(w: Worth) -> Iterator[str]:
    """Yield what contradicts the information, and σ that the decoder does not ask for."""
    informative = [j for j, label in enumerate(w.labels) if label in INFORMATIVE_LABELS]
    if w.ignored and len(w.ignored) == len(informative):
        one = len(informative) == 1
        yield (
            f"the decoder does not use the code: {_named(w.ignored)} {'is' if one else 'are'} informative, and no "
            "dimension is worth anything to the loss (a decoder that predicts without the code, not a dead code)"
        )
    elif w.ignored:
        one = len(w.ignored) == 1
        yield (
            f"{_named(w.ignored)} {'is' if one else 'are'} informative, and the decoder does not use "
            f"{'it' if one else 'them'}: the loss rises by at most {_most(w, w.ignored):.2g} {w.unit}"
        )
    if w.hidden:
        one = len(w.hidden) == 1
        least = min(float(w.worth[j]) for j in w.hidden)
        yield (
            f"{_named(w.hidden)} {'is' if one else 'are'} labelled passive, and the decoder uses "
            f"{'it' if one else 'them'}: the loss rises by {'' if one else 'at least '}{least:.3g} {w.unit}"
        )
    yield from _of_sigma(w)


def explanation(w: Worth, j: int) -> str:
    """Describe the worth of one dimension in a line, with the sentence for it."""
    rises = ", ".join(
        f"{_with_error(w.by[name][0][j], w.by[name][1][j])} for {WORDS[name]}" for name in WORDS if name in w.by
    )
    at = "" if w.step is None else f" at step {w.step:,}"
    text = f"worth in {w.unit}{at}: the loss rises by {rises}"
    if w.in_nats:
        text += f"; the decoder uses about {w.used[j]:.3g} nats"
    if j in w.ignored:
        text += "; informative, and the decoder does not use it"
    if j in w.hidden:
        text += "; labelled passive, and the decoder uses it"
    if w.sigma_ratio[j] == w.sigma_ratio[j]:
        text += f"; the encoder's σ is {w.sigma_ratio[j]:.2g} times the one that the decoder's curvature asks for"
    return text


def columns(w: Worth | None, j: int | None = None) -> str:
    """Return the two columns of the summary: their head without a dimension; '' without a worth."""
    if w is None:
        return ""
    if j is None:
        return f"  {'worth':>10}  {'± se':>8}"
    if j >= len(w.worth):
        return f"  {'-':>10}  {'-':>8}"
    value, error = _with_error(w.worth[j], w.worth_se[j]).split(" ± ")
    return f"  {value:>10}  {error:>8}"


def heading(w: Worth) -> str:
    """Return a line that says what the columns of the summary are."""
    at = "" if w.step is None else f" at step {w.step:,}"
    return f"worth: rise of the loss in {w.unit} when the dimension is replaced by {WORDS[w.how]}{at}; {w.measure}"


def _head(w: Worth) -> Iterator[str]:
    if w.labels:
        yield f"{'label':<10}"
    if np.isfinite(w.information).any():
        yield " information"
    yield from (f"{f'by {name}':>18}" for name in WORDS if name in w.by)
    if w.in_nats:
        yield "  used"
    if np.isfinite(w.sigma).any():
        yield "     σ"
    if np.isfinite(w.sigma_ratio).any():
        yield "decoder's σ"


def _cells(w: Worth, j: int) -> Iterator[str]:
    if w.labels:
        yield f"{w.labels[j]:<10}"
    if np.isfinite(w.information).any():
        yield f"{w.information[j]:>12.3f}"
    yield from (f"{_with_error(w.by[name][0][j], w.by[name][1][j]):>18}" for name in WORDS if name in w.by)
    if w.in_nats:
        yield f"{w.used[j]:>6.3f}"
    if np.isfinite(w.sigma).any():
        yield f"{w.sigma[j]:>6.3f}"
    if np.isfinite(w.sigma_ratio).any():
        yield f"{w.decoder_sigma[j]:>11.3f}" if w.sigma_ratio[j] == w.sigma_ratio[j] else f"{'-':>11}"


def _of_sigma(w: Worth) -> Iterator[str]:
    used = [j for j, label in enumerate(w.labels) if label in INFORMATIVE_LABELS and j not in w.ignored]
    known = [j for j in used if w.sigma_ratio[j] > 0]
    if not known:
        return
    middle = float(np.median(w.sigma_ratio[known]))
    if middle > MAX_RATIO or middle < 1 / MAX_RATIO:
        yield (
            f"the encoder's σ is {middle:.2g} times the one that the decoder's curvature asks for (median of "
            f"{len(known)}): the KL has a weight of about {middle**2:.2g}, or the encoder is far from its optimum"
        )
    apart = [j for j in known if not 1 / MAX_RATIO <= w.sigma_ratio[j] / middle <= MAX_RATIO]
    if apart:
        ratios = ", ".join(f"{w.sigma_ratio[j] / middle:.2g}" for j in apart[:MAX_NAMED])
        yield (
            f"the encoder's σ of {_named(apart)} is {ratios} times what the decoder asks for, relative to the other "
            "dimensions: the encoder is not at its optimum there"
        )


def _with_error(value: float, error: float) -> str:
    """Format a number to two digits of its error."""
    if not 1e-9 < error < 1e9:
        return f"{value:.3g} ± {error:.2g}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def _most(w: Worth, dimensions: Sequence[int]) -> float:
    return max(0.0, *(float(w.worth[j] + 2 * w.worth_se[j]) for j in dimensions))


def _named(dimensions: Sequence[int]) -> str:
    if len(dimensions) == 1:
        return f"dimension {dimensions[0]}"
    shown = [str(j) for j in dimensions[:MAX_NAMED]]
    more = f" and {len(dimensions) - MAX_NAMED} more" if len(dimensions) > MAX_NAMED else ""
    return f"dimensions {', '.join(shown)}{more}"
