"""Forms in which a network gives the noise of its latent: from the tensor that a module gives to σ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import elu, softplus

Values = NDArray[Any]


class Form(NamedTuple):
    """One form of a spread."""

    name: str
    """As it is written, for messages."""
    unit: str
    """Unit of what `read` gives: a name of `arrays.spread.UNITS`."""
    log_scale: Callable[[Values], Values]
    """log σ of the tensor's values, or log b of a Laplace distribution; NaN where the form cannot be."""
    read: Callable[[Tensor], Tensor] | None = None
    """The tensor's values → the spread in `unit`; None if it is that already. Compiled forwards run this."""
    laplace: bool = False
    """True if the noise is Laplace's, of which σ is √2 b."""
    code: str = "{s}"
    """The same in code, with {s} for the tensor."""
    rarity: float = 0.0
    """Log-likelihood that a reading of this form must be ahead of one in log σ², by how rarely it is met."""

    def values(self, tensor: Values) -> Values:
        """Return the spread in `unit`, as `read` does for tensors."""
        scale = self.log_scale(tensor) + (LOG_SQRT_2 if self.laplace else 0.0)
        power = {"logvar": 2.0, "var": 2.0, "std": 1.0, "logstd": 1.0}[self.unit]
        return power * scale if self.unit.startswith("log") else np.exp(power * scale)


def _log(values: Values) -> Values:
    return np.log(np.where(values > 0, values, np.nan))


def _softplus(values: Values) -> Values:
    return np.maximum(values, 0) + np.log1p(np.exp(-np.abs(values)))


def _sigmoid(values: Values) -> Values:
    return 1 / (1 + np.exp(-values))


def _elu(values: Values) -> Values:
    return np.where(values > 0, values + 1, np.exp(np.minimum(values, 0)))


SQRT_2 = 2.0**0.5
LOG_SQRT_2 = float(np.log(SQRT_2))
SOFTPLUS = "torch.nn.functional.softplus({s})"

FORMS = (
    Form("log σ²", "logvar", lambda s: s / 2),
    Form("log σ", "logstd", lambda s: s, rarity=1),
    Form("σ²", "var", lambda s: _log(s) / 2, rarity=2),
    Form("σ", "std", _log, rarity=2),
    Form("σ, negative in places", "std", lambda s: _log(np.abs(s)), lambda s: s.abs(), code="{s}.abs()", rarity=3),
    Form("σ = softplus(·)", "std", lambda s: _log(_softplus(s)), softplus, code=SOFTPLUS, rarity=4),
    Form("σ² = softplus(·)", "var", lambda s: _log(_softplus(s)) / 2, softplus, code=SOFTPLUS, rarity=5),
    Form("log σ² = −|·|", "logvar", lambda s: -np.abs(s) / 2, lambda s: -s.abs(), code="-{s}.abs()", rarity=5),
    Form(
        "σ² = elu(·) + 1", "var", lambda s: _log(_elu(s)) / 2, lambda s: elu(s) + 1,
        code="torch.nn.functional.elu({s}) + 1", rarity=9,
    ),
    Form(
        "σ = softplus(·) + 0.1", "std", lambda s: _log(_softplus(s) + 0.1), lambda s: softplus(s) + 0.1,
        code=f"{SOFTPLUS} + 0.1", rarity=6,
    ),
    Form(
        "σ = 0.1 + 0.9 sigmoid(·)", "std",
        lambda s: _log(0.1 + 0.9 * _sigmoid(s)), lambda s: 0.1 + 0.9 * s.sigmoid(),
        code="0.1 + 0.9 * {s}.sigmoid()", rarity=6,
    ),
    Form(
        "σ = 2 sigmoid(·/2) + 0.1", "std",
        lambda s: _log(2 * _sigmoid(s / 2) + 0.1), lambda s: 2 * (s / 2).sigmoid() + 0.1,
        code="2 * ({s} / 2).sigmoid() + 0.1", rarity=6,
    ),
    Form("σ = sigmoid(·)", "std", lambda s: _log(_sigmoid(s)), lambda s: s.sigmoid(), code="{s}.sigmoid()", rarity=7),
    Form("Laplace's b", "std", _log, lambda s: s * SQRT_2, True, "2**0.5 * {s}", rarity=7),
    Form("Laplace's σ", "std", lambda s: _log(s / SQRT_2), None, True, rarity=7),
    Form("Laplace's log b", "std", lambda s: s, lambda s: s.exp() * SQRT_2, True, "2**0.5 * {s}.exp()", rarity=8),
)  # fmt: skip
"""All forms that are tried, the plain units first."""

IS_LAPLACE = np.array([form.laplace for form in FORMS])
RARITY = np.array([form.rarity for form in FORMS])


def log_scales(values: Values) -> Values:
    """Return log σ, or log b, by every form: (…, n) → (…, forms, n), with what they share computed once."""
    with np.errstate(all="ignore"):
        size = _log(np.abs(values))
        log = np.where(values > 0, size, np.nan)
        soft, sigmoid = _softplus(values), _sigmoid(values)
        log_soft = np.log(soft)
        log_elu, shifted = np.log(_elu(values)), np.log(2 * _sigmoid(values / 2) + 0.1)
        parts = (
            values / 2, values, log / 2, log, size, log_soft, log_soft / 2, -np.abs(values) / 2, log_elu / 2,
            np.log(soft + 0.1), np.log(0.1 + 0.9 * sigmoid), shifted, np.log(sigmoid), log, log - LOG_SQRT_2, values,
        )  # fmt: skip
        return np.stack(parts, -2)
