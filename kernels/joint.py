"""Joint entropy of d dimensions from rows, in nats, with its error, a bracket, and what it was found to be made of.

h(X) = Σ h(Y_j) + h(copula of Y) + what the map from X to Y adds. The marginals are one-dimensional entropies by
spacing; Y is X itself or, where it leaves less dependence, its independent components or its radial Gaussianisation;
the copula is cut into blocks that pairs show no dependence between, and the entropy of each is estimated by k-th
neighbours.
Shape: x (d, n) float32, finite.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .blocks import blocks
from .copula import GAUSSIAN, functions, in_place, normal, scores_entropy, scores_of
from .spacing import cluster_square, entropy
from .unmix import components, radial, whitening

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
Ids = NDArray[Any] | None

FEWEST = 12
"""Rows that one dimension's entropy needs."""
LIMIT = 1 << 15
"""Rows that the dependence is estimated from, evenly spaced: its time grows with their square."""
FUNCTION = 1e-4
"""Deviation of normal scores below which a dimension is a function of others: a few rows in another order make 1e-5."""
TIED = 0.01
"""Share of tied rows from which the values lie on a lattice, which other coordinates would take for structure."""
ROUND = 6
"""Least dimensions of the radial map: below, Wilson & Hilferty's radii are not all positive."""
DOUBT = 3.0
"""Standard errors by which the whole must have less entropy than the blocks to be believed instead of them."""
NOISE = 2
"""Other coordinates must gain more than this times d² / n; of noise, their d² parameters make about ½ d² / n."""
CHECKED = 5000
"""Rows, evenly spaced, that a check of the blocks is made on."""
MISSED = 0.25
"""Share of the dependence left to neighbours that they may miss."""


class Joint(NamedTuple):
    """A joint entropy in nats.

    error: standard error of value. lower, upper: a bracket by what else the estimate might have been, and two standard
    errors. bound: an entropy that is certainly no less, but for sampling. coordinates: "given", "linear" or "radial";
    blocks: of those coordinates, independent of each other as far as pairs show. beyond_pairs: the blocks were found to
    depend on each other after all, and are not used. functions: dimensions that are functions of others; there is no
    joint density then, and everything else is about the others. ties: share of tied rows in each dimension.
    """

    value: float
    error: float
    lower: float
    upper: float
    bound: float
    coordinates: str
    blocks: tuple[tuple[int, ...], ...]
    beyond_pairs: bool
    functions: tuple[int, ...]
    ties: tuple[float, ...]


class _Coordinates(NamedTuple):
    name: str
    bound: float
    """Entropy if they were independent."""
    left: float
    """Entropy if they depended on each other as Gaussians do."""
    variance: float
    values: F32


def _other(x: F32, cluster: Ids) -> list[_Coordinates]:
    """Linear and radial coordinates for x (d, n).

    Each parameter that is fitted to the rows takes 1 / 2n too much off the entropy (Wilks 1938), which is given back:
    there are d² − d of a linear map, scales apart, and d (d + 1) / 2 − 1 of ellipsoids, size apart.
    """
    d, n = x.shape
    matrix = whitening(x) if n >= 10 * d else None
    if matrix is None:
        return []
    mean = x.mean(axis=1, keepdims=True, dtype=np.float64)
    white = (matrix @ (x - mean)).astype(np.float32)
    volume = -float(np.linalg.slogdet(matrix)[1])
    y = (components(white).astype(np.float32) @ white).astype(np.float32)
    h, error, _ = entropy(y, cluster)
    bound = float(h.sum()) + volume + 0.5 * d * (d - 1) / n
    found = [_Coordinates("linear", bound, bound, float(error @ error), y)]
    if d >= ROUND:
        y, logs, added, surprise = radial(white, scores_of(n))
        bound = d * GAUSSIAN + float(entropy(logs)[0][0]) + added + volume + 0.25 * (d * (d + 1) - 2) / n
        ids = np.arange(n) if cluster is None else cluster
        variance = float(cluster_square((surprise - surprise.mean())[None], ids)[0]) / n
        found.append(_Coordinates("radial", bound, bound, variance, y))
    return found


class _Dependence(NamedTuple):
    value: float
    """Entropy of the copula."""
    variance: float
    blocks: list[list[int]]
    beyond_pairs: bool


def _dependence(x: F32, ranks: I32, cluster: Ids) -> _Dependence:
    """Of the dimensions of x (d, n), whose ranks are given, block by block; or of all together, should that be less."""
    d, n = x.shape
    scores = scores_of(n)[ranks]
    parts = blocks(ranks, cluster)
    split = np.array([scores_entropy(scores[part], cluster) for part in parts if len(part) > 1]).reshape(-1, 2)
    value, variance = float(split[:, 0].sum()), float(split[:, 1] @ split[:, 1])
    if len(parts) > 1 and d > 2:
        some = np.linspace(0, n - 1, min(n, CHECKED)).astype(np.int64)
        check, doubt = scores_entropy(normal(x[:, some]), None if cluster is None else cluster[some])
        if check < value - DOUBT * math.sqrt(variance + doubt * doubt):
            value, error = scores_entropy(scores, cluster)
            return _Dependence(value, error * error, parts, True)
    return _Dependence(value, variance, parts, False)


def joint(x: F32, cluster: Ids = None, mantissa: int = 23) -> Joint:
    """Joint entropy of x (d, n).

    Rows of one `cluster` (n,), ids side by side, are dependent; `mantissa` are the bits of the type the values were
    rounded to (`spacing.entropy`). NaN for fewer than 2d + 8 rows, or than FEWEST.
    """
    if x.shape[1] < max(2 * len(x) + 8, FEWEST):
        nan = math.nan
        return Joint(nan, nan, nan, nan, nan, "given", (), False, (), (nan,) * len(x))
    x = np.ascontiguousarray(x)
    h, error, ties = entropy(x, cluster, mantissa=mantissa)
    if x.shape[1] > LIMIT:
        rows = np.linspace(0, x.shape[1] - 1, LIMIT).astype(np.int64)
        x, cluster = np.ascontiguousarray(x[:, rows]), None if cluster is None else cluster[rows]
    places = np.arange(x.shape[1], dtype=np.int32)
    ranks = in_place(x, places)
    gone = functions(scores_of(len(places))[ranks], FUNCTION)
    if gone:
        rest = np.setdiff1d(np.arange(len(x)), gone)
        x, h, error, ranks = np.ascontiguousarray(x[rest]), h[rest], error[rest], ranks[rest]
    d, n = x.shape
    correlation = np.corrcoef(scores_of(n)[ranks]).reshape(d, d)
    sum_h = float(h.sum())
    given = _Coordinates(
        "given", sum_h, sum_h + 0.5 * float(np.linalg.slogdet(correlation)[1]), float(error @ error), x
    )
    tried = [given, *(_other(x, cluster) if d > 1 and ties.max() < TIED else [])]
    best = min(tried, key=lambda c: c.left + (0 if c is given else NOISE * d * d / n))
    bound = min(c.bound for c in tried)
    if best.name == "radial":  # its new dimensions are nearly Gaussian
        best = best._replace(bound=best.bound + float(entropy(best.values)[0].sum()) - d * GAUSSIAN)
    found = _dependence(best.values, ranks if best is given else in_place(best.values, places), cluster)
    value, deviation = best.bound + found.value, math.sqrt(best.variance + found.variance)
    return Joint(
        value=value,
        error=deviation,
        lower=value + MISSED * min(found.value, 0.0) - 2 * deviation,
        upper=value + 2 * deviation,
        bound=bound,
        coordinates=best.name,
        blocks=tuple(tuple(block) for block in found.blocks),
        beyond_pairs=found.beyond_pairs,
        functions=tuple(gone),
        ties=tuple(ties.tolist()),
    )
