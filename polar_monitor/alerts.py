"""What an alert is, the rules that raise one, and what each kind means.

Alerts are about the loss of information *in use*, never about passivity itself: superfluous dimensions that go to the
prior are healthy. The fold that raises them is in `watch`.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from numbers import Integral, Real
from typing import Any

from .errors import PolarMonitorError


class AlertKind(enum.StrEnum):
    """What happened."""

    FADING = "fading"
    LOST = "lost"
    REVIVED = "revived"
    DRAIN = "drain"
    COLLAPSE = "collapse"
    VARIANCE_COLLAPSE = "variance_collapse"
    NON_FINITE = "non_finite"
    SILENT = "silent"
    CUSTOM = "custom"
    """Raised by a rule of a third party."""


@dataclass(frozen=True)
class Forecast:
    """When a dimension is expected to be out of use, with an interval that holds 80 % of losses.

    Out of use is below 0.15 nats, or 0.35 of resolved entropy where there is no variance.
    """

    step: int
    low: int
    high: int | None
    """None where that is beyond any number of steps."""


@dataclass(frozen=True)
class Alert:
    """One event. `evidence` are the numbers it rests on."""

    kind: AlertKind
    step: int
    dimension: int | None
    message: str
    evidence: Mapping[str, float]
    forecast: Forecast | None
    last_healthy_step: int | None
    """The last evaluation before the trouble began: the checkpoint to go back to."""
    causes: tuple[str, ...]
    advice: tuple[str, ...]
    name: str = ""
    """Of the monitored latent, where a model has several."""
    mode: str = "train"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Alert:
        """The inverse of `to_dict`."""
        forecast = data["forecast"]
        return cls(
            kind=AlertKind(data["kind"]),
            step=int(data["step"]),
            dimension=None if data["dimension"] is None else int(data["dimension"]),
            message=str(data["message"]),
            evidence=dict(data["evidence"]),
            forecast=None if forecast is None else Forecast(**forecast),
            last_healthy_step=None if data["last_healthy_step"] is None else int(data["last_healthy_step"]),
            causes=tuple(data["causes"]),
            advice=tuple(data["advice"]),
            name=str(data["name"]),
            mode=str(data["mode"]),
        )


@dataclass(frozen=True)
class AlertRules:
    """When to alert. Counts are evaluations, horizons too, so that the rules do not depend on `every`.

    Example:
        >>> from polar_monitor import AlertRules
        >>> AlertRules(kinds=frozenset({"collapse", "non_finite"})).patience
        2
    """

    kinds: frozenset[str] = frozenset(AlertKind)
    """Kinds to raise, those of third parties' rules ("custom") among them; the others stay silent."""
    horizon: float = 20.0
    """FADING when the dimension is forecast to be out of use within so many evaluations."""
    patience: int = 2
    """Evaluations in a row that must see the fall; a plunge needs one."""
    established: int = 5
    """Evaluations for which a dimension must have been worth an alert before it can raise one."""
    worth: float = 0.35
    """Nats that it must surely carry in them. A Gaussian dimension pays twice its price in the ELBO from there on."""
    fall: float = 0.35
    """FADING when this share of a dimension's highest level is lost."""
    plunge: float = 0.1
    """A share lost within one evaluation, by several dimensions at once, that is told at once."""
    significance: float = 4.0
    """Least fall in standard errors."""
    drain: float = 0.4
    """DRAIN when this share of the total is lost and it still falls."""
    collapsed: int = 60
    """Evaluations without any informative dimension that make a COLLAPSE of a model that never had one."""

    def __post_init__(self) -> None:
        """Raise PolarMonitorError for rules that cannot be meant."""
        kinds = self.kinds
        unknown = isinstance(kinds, str) or not isinstance(kinds, Collection) or set(map(str, kinds)) - set(AlertKind)
        if unknown:
            raise PolarMonitorError(f"kinds: expected some of {', '.join(AlertKind)}; got {_plainly(kinds)}")
        object.__setattr__(self, "kinds", frozenset(AlertKind(str(kind)) for kind in kinds))
        counts = {"patience": 1, "established": 0, "collapsed": 1}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in counts and (isinstance(value, bool) or not isinstance(value, Integral)):
                raise PolarMonitorError(f"{field.name}: expected a whole number, got {value!r}")
            if field.name != "kinds" and (isinstance(value, bool) or not isinstance(value, Real)):
                raise PolarMonitorError(f"{field.name}: expected a number, got {value!r}")
        for name, least in counts.items():
            if not getattr(self, name) >= least:
                raise PolarMonitorError(f"{name}: expected {least} or more evaluations, got {getattr(self, name)!r}")
        for name in ("fall", "plunge", "drain"):
            if not 0 < getattr(self, name) < 1:
                raise PolarMonitorError(f"{name}: expected a share between 0 and 1, got {getattr(self, name)!r}")
        for name in ("horizon", "worth", "significance"):
            if not getattr(self, name) >= 0:
                raise PolarMonitorError(f"{name}: expected 0 or more, got {getattr(self, name)!r}")


def _plainly(kinds: Any) -> str:
    several = isinstance(kinds, Collection) and not isinstance(kinds, str)
    return ", ".join(sorted(map(str, kinds))) if several else repr(kinds)


CAUSES: dict[AlertKind, tuple[str, ...]] = {
    AlertKind.FADING: (
        "the weight of the KL term (β) is rising or too high for what this dimension buys in reconstruction",
        "the decoder has become able to do without it",
        "a regulariser (weight decay, L2 on the code) shrinks the encoder's head",
    ),
    AlertKind.DRAIN: (
        "the weight of the KL term is rising or too high",
        "the decoder variance grows, so that reconstruction counts for less",
        "the decoder learns to model the data without the latent code",
    ),
    AlertKind.COLLAPSE: (
        "the KL term outweighs the reconstruction (check sum against mean over pixels)",
        "the decoder is powerful enough to ignore the code",
        "the encoder is dead (a learning-rate spike, dying ReLUs)",
    ),
    AlertKind.VARIANCE_COLLAPSE: (
        "the weight of the KL term is too small to keep the posterior from becoming a point",
    ),
    AlertKind.NON_FINITE: ("the loss has diverged", "float16 overflow", "exp of a large log-variance"),
    AlertKind.SILENT: (
        "the monitored module is not called through its __call__ (model.encode(x) and module.forward(x) bypass hooks)",
        "the model was compiled before it was monitored, or a copy of it is being trained",
        "the module was replaced after attach",
        'the module is in eval mode (frozen, batch norm): watch modes=("train", "eval")',
        "mean and spread are not called equally often in a step",
    ),
}
CAUSES[AlertKind.LOST] = CAUSES[AlertKind.FADING]
CAUSES[AlertKind.REVIVED] = CAUSES[AlertKind.CUSTOM] = ()

ADVICE: dict[AlertKind, tuple[str, ...]] = {
    AlertKind.FADING: (
        "if the dimension is wanted: lower or stop raising β now, or give this dimension free bits",
        "keep the checkpoint of the last healthy step",
    ),
    AlertKind.LOST: ("go back to the last healthy step and train on with a lower β or with free bits",),
    AlertKind.REVIVED: (),
    AlertKind.CUSTOM: (),
    AlertKind.DRAIN: ("lower β, warm it up more slowly, or set a target for the rate (free bits, capacity control)",),
    AlertKind.COLLAPSE: (
        "stop; go back to the last healthy step",
        "lower β, check the reduction of both loss terms, weaken the decoder or warm the KL term up",
    ),
    AlertKind.VARIANCE_COLLAPSE: ("raise the weight of the KL term if samples from the prior are wanted",),
    AlertKind.NON_FINITE: ("stop; clip gradients, lower the learning rate, clamp the log-variance",),
    AlertKind.SILENT: (
        "pass the module whose call gives the latents (mean=…, latent=…), or call monitor.observe(mean, logvar=…)",
        "attach before the first call of a compiled model",
    ),
}


def raised(
    kind: AlertKind,
    step: int,
    dimension: int | None,
    said: str,
    evidence: Mapping[str, float],
    forecast: Forecast | None = None,
    healthy: int | None = None,
    told: tuple[tuple[str, ...], tuple[str, ...]] | None = None,
) -> Alert:
    """An alert with the causes and the advice that are `told`, or else those of its kind."""
    message = said if dimension is None else f"dimension {dimension} {said}"
    return Alert(kind, step, dimension, message, evidence, forecast, healthy, *(told or (CAUSES[kind], ADVICE[kind])))
