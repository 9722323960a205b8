"""Changes of a head between the layer and the sample, as code: clamps, floors, bounds, factors, norms.

A table of forms reads what is common in the first forwards. This longer list is for the one pair of heads of which a
sample is known that they do not explain as they are: it is tried once, and gives the line to write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..forms import FORMS
from ..noise import Fit, fit
from ..tally import MAX_LOG_SCALE, with_rounding

F64 = NDArray[np.float64]
Function = Callable[[F64], F64]

MAX_SCREENED = 1024
"""Numbers that all of the list is tried on."""
MAX_TESTED = 32_768
"""Numbers that the best ones are tested on."""
BASES, ROUNDS, MEANS_LEFT, RANKED, TESTED = 6, 2, 6, 40, 4
"""Spreads that are changed once more, and how often; means that are left then; readings that are compared by all
numbers; those of them that are tested."""
CHANGE = 5.0
"""Log-likelihood that one change more must be worth."""
BOUNDS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
FACTORS = (0.1, 0.2, 0.25, 0.5, 2.0, 3.0, 4.0, 5.0, 10.0)
FLOORS = (0.001, 0.01, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)
CLAMPS = (*np.arange(-8, 8.5, 0.5).tolist(), -10.0, 10.0)
LOWER = (-30.0, -20.0, -15.0, -12.0, -10.0, -8.0, -7.0, -6.0, -5.0, -4.0, -3.0, -2.5, -2.0, -1.0)
UPPER = (20.0, 10.0, 8.0, 6.0, 5.0, 4.0, 3.0, 2.5, 2.0, 1.5, 1.0, 0.5, 0.0)
"""Bounds of clamps on both sides, the widest first, which is taken if no number lies between two."""
SOFTPLUS = "torch.nn.functional.softplus"


class Processed(NamedTuple):
    """Values made of a tensor."""

    code: str
    """The same for a tensor, with {s} for the tensor; parts of a sum are in brackets."""
    apply: Function
    rarity: float
    """Log-likelihood that a reading must be ahead by to be taken for it."""
    unit: str = ""
    """Unit of a spread: a name of `arrays.spread.UNITS`."""


class Explanation(NamedTuple):
    """Mean and spread as they enter a sample."""

    mean: Processed
    spread: Processed
    fit: Fit

    def words(self, mean: object, spread: object) -> str:
        """Return the explanation in words, for the places of the heads."""
        sides = [one.code.replace("{s}", "s") for one in (self.mean, self.spread)]
        evidence = f"residual variance {self.fit.variance:.2f} ± {self.fit.error:.2f} over {self.fit.numbers} numbers"
        return f"mean = {sides[0]} of {mean}, {self.spread.unit} = {sides[1]} of {spread} ({evidence})"


def _softplus(s: F64) -> F64:
    return np.maximum(s, 0) + np.log1p(np.exp(-np.abs(s)))


def times(k: float) -> Function:
    """Return the function that multiplies by k."""
    return lambda s: k * s


def soft(c: float) -> Function:
    """Return the function that bounds softly at ±c."""
    return lambda s: c * np.tanh(s / c)


def tanh(c: float) -> Function:
    """Return the function that bounds at ±c, and multiplies by c near 0."""
    return lambda s: c * np.tanh(s)


def _sigmoid(c: float) -> Function:
    return lambda s: c / (1 + np.exp(-s))


def _clip(low: float, high: float) -> Function:
    return lambda s: np.clip(s, low, high)


def _plus(b: float) -> Function:
    return lambda s: s + b


def _exp(power: float, factor: float, eps: float) -> Function:
    return lambda s: factor * np.exp(power * s) + eps


def _softplus_of(b: float) -> Function:
    return lambda s: _softplus(s + b)


def _precision(eps: float) -> Function:
    return lambda s: 1 / (np.exp(s) + eps)


def _normalised(k: float) -> Function:
    return lambda s: k * s / np.maximum(np.sqrt(np.square(s).sum(-1, keepdims=True)), 1e-12)


def _softmax(s: F64) -> F64:
    exponential = np.exp(s - s.max(-1, keepdims=True))
    total: F64 = exponential / exponential.sum(-1, keepdims=True)
    return total


def _layer_norm(s: F64) -> F64:
    normed: F64 = (s - s.mean(-1, keepdims=True)) / np.sqrt(s.var(-1, keepdims=True) + 1e-5)
    return normed


def _means() -> Iterator[Processed]:
    yield Processed("{s}", lambda s: s, 0)
    for k in FACTORS:
        yield Processed(f"{k:g} * {{s}}", times(k), 2)
    for c in BOUNDS:
        factor = "" if c == 1 else f"{c:g} * "
        yield Processed(f"{factor}{{s}}.tanh()", tanh(c), 2)
        if c > 1:
            yield Processed(f"{c:g} * ({{s}} / {c:g}).tanh()", soft(c), 2)
        yield Processed(f"{{s}}.clamp(-{c:g}, {c:g})", _clip(-c, c), 2)
        yield Processed(f"{factor}{{s}}.sigmoid()", _sigmoid(c), 3)
    yield Processed("{s}.relu()", lambda s: np.maximum(s, 0), 3)
    yield Processed(f"{SOFTPLUS}({{s}})", _softplus, 3)
    yield Processed("torch.nn.functional.layer_norm({s}, {s}.shape[-1:])", _layer_norm, 2)
    for k in (1.0, 2.0, 4.0):
        factor = "" if k == 1 else f"{k:g} * "
        yield Processed(f"{factor}torch.nn.functional.normalize({{s}}, dim=-1)", _normalised(k), 3)
    yield Processed(
        "{s}.shape[-1] ** 0.5 * torch.nn.functional.normalize({s}, dim=-1)",
        lambda s: _normalised(s.shape[-1] ** 0.5)(s),
        3,
    )


def _spreads() -> Iterator[Processed]:
    for form in FORMS:
        if not form.laplace:
            yield Processed(form.code, form.values, form.rarity, form.unit)
    for unit in ("logvar", "logstd"):
        for c in BOUNDS:
            factor = "" if c == 1 else f"{c:g} * "
            yield Processed(f"{factor}{{s}}.tanh()", tanh(c), 4, unit)
            if c > 1:
                yield Processed(f"{c:g} * ({{s}} / {c:g}).tanh()", soft(c), 4, unit)
        yield Processed("-{s}", lambda s: -s, 4, unit)
        for c in CLAMPS:
            yield Processed(f"{{s}}.clamp(min={c:g})", _clip(c, np.inf), 4, unit)
            yield Processed(f"{{s}}.clamp(max={c:g})", _clip(-np.inf, c), 4, unit)
        for low in LOWER:
            for high in UPPER:
                clamped = f"{{s}}.clamp({low:g}, {high:g})"
                yield Processed(clamped, _clip(low, high), 5, unit)
        yield Processed(f"-{SOFTPLUS}({{s}})", lambda s: -_softplus(s), 5, unit)
    yield Processed("{s}.abs()", np.abs, 6, "logvar")
    for unit in ("std", "var"):
        yield Processed("{s} ** 2", np.square, 5, unit)
        yield Processed("{s}.relu()", lambda s: np.maximum(s, 0), 5, unit)
        for c in (1.0, 2.0, 3.0, 5.0):
            factor = "" if c == 1 else f"{c:g} * "
            yield Processed(f"{factor}{{s}}.sigmoid()", _sigmoid(c), 5, unit)
        for shift in (-5.0, 0.54, 0.55):
            yield Processed(f"{SOFTPLUS}({{s}} {'+-'[shift < 0]} {abs(shift):g})", _softplus_of(shift), 6, unit)
        yield Processed(f"1 / {SOFTPLUS}({{s}})", lambda s: 1 / _softplus(s), 6, unit)
        yield Processed("{s}.shape[-1] * {s}.softmax(-1)", lambda s: s.shape[-1] * _softmax(s), 6, unit)
        yield Processed("{s}.softmax(-1)", _softmax, 6, unit)
    yield Processed("1 / {s}", lambda s: 1 / s, 6, "var")
    for eps in FLOORS:
        yield Processed(f"1 / ({{s}}.exp() + {eps:g})", _precision(eps), 8, "var")


def further(spread: Processed) -> Iterator[Processed]:
    """Yield a spread with one change more: a clamp, a factor, a shift, or something added to σ or σ²."""
    code, apply, rarity, unit = spread
    inner = code if code == "{s}" else f"({code})"

    def changed(code: str, change: Function, cost: float, unit: str = unit) -> Processed:
        return Processed(code, lambda s: change(apply(s)), rarity + cost, unit)

    if unit in ("logvar", "logstd"):
        for c in CLAMPS:
            yield changed(f"{inner}.clamp(min={c:g})", _clip(c, np.inf), CHANGE)
            yield changed(f"{inner}.clamp(max={c:g})", _clip(-np.inf, c), CHANGE)
        for k in FACTORS:
            yield changed(f"{k:g} * {inner}", times(k), CHANGE)
        for b in (-6, -5, -4, -3, -2, -1, 1, 2, 3):
            yield changed(f"{inner} {'-' if b < 0 else '+'} {abs(b)}", _plus(b), CHANGE)
        for wanted in ("var", "std"):
            power = {("logvar", "std"): 0.5, ("logstd", "var"): 2.0}.get((unit, wanted), 1.0)
            exponential = f"{inner}.exp()" if power == 1 else f"({power:g} * {inner}).exp()"
            for eps in FLOORS:
                yield changed(f"{exponential} + {eps:g}", _exp(power, 1, eps), CHANGE, wanted)
            for k in FACTORS:
                yield changed(f"{k:g} * {exponential}", _exp(power, k, 0), CHANGE, wanted)
        return
    for eps in FLOORS:
        yield changed(f"{inner} + {eps:g}", _plus(eps), CHANGE)
        yield changed(f"{inner}.clamp(min={eps:g})", _clip(eps, np.inf), CHANGE)
        yield changed(f"{inner}.clamp(max={eps:g})", _clip(-np.inf, eps), CHANGE)
    for k in FACTORS:
        yield changed(f"{k:g} * {inner}", times(k), CHANGE)
    if unit == "var":
        yield changed(f"1 / {inner}", lambda v: 1 / v, CHANGE)


MEANS = tuple(_means())
SPREADS = tuple(_spreads())
PLAIN = (*SPREADS[:4], *(one for one in SPREADS if one.code == f"{SOFTPLUS}({{s}})"))
"""Spreads that are changed once more in any case: log σ², log σ, σ² and σ as they are, or by a softplus."""


def log_scale_of(spread: Processed, values: F64) -> F64:
    """Return log σ; NaN where a spread cannot be."""
    with np.errstate(all="ignore"):
        made = spread.apply(values)
        if spread.unit in ("var", "std"):
            made = np.log(np.where(made > 0, made, np.nan))
    scale: F64 = made / 2 if spread.unit in ("var", "logvar") else made
    return scale


class _Screen:
    """Likelihoods of means and spreads for some rows of a sample."""

    def __init__(self, z: F64, mean: F64, spread: F64, mantissa: int) -> None:
        self._z, self._spread, self._mantissa = z, spread, mantissa
        self.means = [one for one in MEANS if np.isfinite(one.apply(mean)).all()]
        self.squares = np.stack([np.square(z - one.apply(mean)).ravel() for one in self.means])

    def keep(self, means: Sequence[Processed]) -> None:
        """Keep some of the means."""
        places = [place for place, one in enumerate(self.means) if one in means]
        self.means, self.squares = [self.means[place] for place in places], self.squares[places]

    def log_scales(self, spreads: Sequence[Processed]) -> tuple[list[Processed], F64]:
        """Return the spreads that can be, and their log σ."""
        scales = [log_scale_of(one, self._spread).ravel() for one in spreads]
        usable = [place for place, scale in enumerate(scales) if np.abs(scale).max() < MAX_LOG_SCALE]
        z = self._z.ravel().astype(np.float32)
        rounded = [with_rounding(scales[place], z, self._mantissa) for place in usable]
        return [spreads[place] for place in usable], np.stack(rounded) if rounded else np.zeros((0, self._z.size))

    def scores(self, spreads: Sequence[Processed]) -> list[tuple[float, Processed, Processed]]:
        """Return (log-likelihood, mean, spread) of each spread, with its most likely means."""
        spreads, scales = self.log_scales(spreads)
        likelihood = -self.squares @ np.exp(-2 * scales).T / 2 - scales.sum(1)
        likelihood -= np.array([one.rarity for one in self.means])[:, None] + np.array([one.rarity for one in spreads])
        best = np.argsort(-likelihood, axis=0)[:3]
        return [(float(likelihood[m, j]), self.means[m], spreads[j]) for row in best for j, m in enumerate(row)]


def explanation_of(z: F64, mean: F64, spread: F64, mantissa: int) -> Explanation | None:
    """Return what the heads' tensors become on their way into a sample of the same shape; None if nothing fits."""
    row = z[0].size
    few, many = (slice(max(1, limit // row)) for limit in (MAX_SCREENED, MAX_TESTED))
    with np.errstate(all="ignore"):
        if not (np.isfinite(z).all() and np.isfinite(mean).all()):
            return None
        screen = _Screen(z[few], mean[few], spread[few], mantissa)
        ranked = _ranked(screen.scores(SPREADS))
        screen.keep(list(dict.fromkeys(one[1] for one in ranked))[:MEANS_LEFT])
        for _ in range(ROUNDS):
            bases = dict.fromkeys((*PLAIN, *(one[2] for one in ranked[: 2 * BASES])))
            changed = [one for base in list(bases)[: BASES + len(PLAIN)] for one in further(base)]
            ranked = _ranked([*ranked, *screen.scores(changed)])
        screen = _Screen(z[many], mean[many], spread[many], mantissa)
        screen.keep([one[1] for one in ranked[:RANKED]])
        for _, made, scaled in _ranked(screen.scores(list(dict.fromkeys(one[2] for one in ranked[:RANKED]))))[:TESTED]:
            scale = screen.log_scales([scaled])[1].reshape(-1, row)
            result = fit(made.apply(mean[many]).reshape(-1, row), scale, z[many].reshape(-1, row), laplace=False)
            if result.fits:
                return Explanation(made, scaled, result)
    return None


def _ranked(scores: list[tuple[float, Processed, Processed]]) -> list[tuple[float, Processed, Processed]]:
    return sorted(scores, key=lambda one: -one[0])


def written(processed: Processed, value: str) -> str:
    """Return the code for a tensor of this name."""
    return processed.code.replace("{s}", value)


def evaluated(processed: Processed, tensor: Any) -> Any:
    """Return what the code makes of a tensor: for tests of the list."""
    import torch

    return eval(f"lambda s: {written(processed, 's')}", {"torch": torch})(tensor)
