"""Coordinates in which dimensions depend less on each other, and what the change of coordinates adds to the entropy.

For any invertible map y of x, h(x) = h(y) − E log|det dy/dx|, and Σ h(y_j) is no less than h(y): of several maps the
one with the least bound is the best start. Two are tried: linear, to independent components (Hyvärinen 1999), and
radial, to a Gaussian from any law whose surfaces of equal density are ellipsoids (Lyu & Simoncelli 2009). Shape:
x (d, n) float32, finite.
"""

import math

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

MAX_ROUNDS = 16
"""Largest number of rounds of FastICA."""
MAX_TURN = 1e-3
"""Largest turn of a component in the last round, as one minus the cosine."""
MIN_RELATIVE_DEVIATION = 1e-5
"""Smallest standard deviation along any direction, relative to that of the axes. Rounding makes a hundredth of it."""


def whitening(x: F32) -> F64 | None:
    """Return the matrix (d, d) that makes the covariance of x the identity; None if x has none or lies in a plane."""
    scale = x.std(axis=1, dtype=np.float64)
    if not (np.isfinite(scale).all() and scale.min() > 0):
        return None
    z = (x - x.mean(axis=1, keepdims=True, dtype=np.float64)) / scale[:, None]
    values, vectors = np.linalg.eigh(z @ z.T / z.shape[1])
    if values[0] < MIN_RELATIVE_DEVIATION**2 / len(x):  # no less than the least that `copula.functions` leaves
        return None
    return np.asarray((vectors / np.sqrt(values)).T / scale)


def components(white: F32) -> F64:
    """Return the rotation (d, d) of white (d, n) to the most independent components.

    Symmetric FastICA with tanh, always from the same start.
    """
    d, n = white.shape
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((d, d)))[0]
    for _ in range(MAX_ROUNDS):
        bent = np.tanh(rotation.astype(np.float32) @ white)
        slope = 1 - np.einsum("dn,dn->d", bent, bent) / n
        u, _, v = np.linalg.svd((bent @ white.T / np.float32(n)).astype(np.float64) - slope[:, None] * rotation)
        turned = 1 - np.abs(((u @ v) * rotation).sum(axis=1)).min()
        rotation = u @ v
        if turned < MAX_TURN:
            break
    return np.asarray(rotation)


def radial(white: F32, normal: F64) -> tuple[F32, F32, float, F64]:
    """Return white (d, n) with the radii of a Gaussian, and the entropy that this adds.

    normal (n,) are the normal scores, ascending. The new radii g are χ's in Wilson & Hilferty's approximation, of which
    h(log g) is known. The map has the determinant (g/r)^d d log g / d log r, and the mean log of the last factor is
    h(log g) − h(log r). The results are the new rows (d, n); log r (1, n); the entropy that the map adds, without
    h(log r); and −log densities of the rows (n,), without a constant and the slope of the map.
    """
    d, n = white.shape
    radius = np.sqrt(np.einsum("dn,dn->n", white, white, dtype=np.float64))
    spread = 2 / (9 * d)
    root = 1 - spread + normal * math.sqrt(spread)
    wanted = np.empty(n)
    wanted[radius.argsort(kind="stable")] = np.sqrt(d * root**3)
    known = 0.5 * math.log(2 * math.pi * math.e) + float(np.mean(np.log(1.5 * math.sqrt(spread) / root)))
    logs = np.log(np.maximum(radius, 1e-30))
    stretch = d * (logs - np.log(wanted))
    y = (white * (wanted / radius)).astype(np.float32)
    return y, logs[None].astype(np.float32), float(stretch.mean()) - known, stretch + 0.5 * wanted * wanted
