"""The record of an alert, and its line of text.

Alerts are about the loss of information *in use*, never about passivity itself: superfluous dimensions that go to the
prior are healthy. `engine` raises them.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, MutableSequence
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import printable


class AlertKind(enum.StrEnum):
    """The kind of event."""

    FADING = "fading"
    LOST = "lost"
    REVIVED = "revived"
    DRAIN = "drain"
    COLLAPSE = "collapse"
    VARIANCE_COLLAPSE = "variance_collapse"
    FAR_FROM_PRIOR = "far_from_prior"
    NON_FINITE = "non_finite"
    SILENT = "silent"
    SETTLING = "settling"
    """A note: a dimension went out of use while others took over. Nothing is wrong."""
    CUSTOM = "custom"
    """An alert from a rule of a third party."""


NOTES = frozenset({AlertKind.SETTLING})
"""Kinds that warn of nothing: they are logged as information, and nothing stops or pauses for them."""


@dataclass(frozen=True)
class Forecast:
    """The step at which a dimension is expected to be out of use, with an interval that holds 80 % of losses.

    All three are later than the step of the alert. For several dimensions it is that of the first one to go.

    Out of use is below 0.15 nats, or 0.35 of resolved entropy where there is no variance.
    """

    step: int
    low: int
    high: int | None
    """None if the end is beyond any number of steps."""


@dataclass(frozen=True)
class Alert:
    """One event. `evidence` holds the numbers behind it."""

    kind: AlertKind
    step: int
    dimension: int | None
    """The dimension that it is about, the first of `dimensions`; None for the model as a whole."""
    message: str
    evidence: Mapping[str, float]
    forecast: Forecast | None
    last_healthy_step: int | None
    """The last evaluation before the trouble began: the checkpoint to go back to."""
    causes: tuple[str, ...]
    advice: tuple[str, ...]
    name: str = ""
    """Name of the monitored latent, if a model has several."""
    mode: str = "train"
    dimensions: tuple[int, ...] = ()
    """All dimensions that it is about; none for the model as a whole."""
    amends: int | None = None
    """Step of the earlier alert that this one replaces: more dimensions followed in the same event. None for the first.
    """

    def __post_init__(self) -> None:
        """Fill in `dimensions` from the only `dimension`, or `dimension` from the first of `dimensions`."""
        if self.dimension is not None and not self.dimensions:
            object.__setattr__(self, "dimensions", (self.dimension,))
        elif self.dimension is None and self.dimensions:
            object.__setattr__(self, "dimension", self.dimensions[0])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Alert:
        """Return the inverse of `to_dict`. Data of an older log have no `dimensions` and no `amends`."""
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
            dimensions=tuple(int(j) for j in data.get("dimensions", ())),
            amends=None if data.get("amends") is None else int(data["amends"]),
        )

    def replaces(self, earlier: Alert) -> bool:
        """Return True if this alert amends an earlier one: same event, more dimensions."""
        return (
            (earlier.kind, earlier.name, earlier.mode, earlier.step) == (self.kind, self.name, self.mode, self.amends)
            and set(earlier.dimensions) <= set(self.dimensions)
        )  # fmt: skip


def add_alert(alerts: MutableSequence[Alert], alert: Alert) -> None:
    """Add an alert to those of a run, oldest first; one that amends another takes its place."""
    if alert.amends is not None:
        for place in range(len(alerts) - 1, -1, -1):
            if alert.replaces(alerts[place]):
                alerts[place] = alert
                return
    alerts.append(alert)


def title(alert: Alert) -> str:
    """Return the kind of an alert, and the step of the one that it amends."""
    return f"{str(alert.kind).upper()}{'' if alert.amends is None else f' (amends that of step {alert.amends})'}"


def format_alert(alert: Alert) -> str:
    """Return an alert as one line of text."""
    back = "" if alert.last_healthy_step is None else f" (last healthy step {alert.last_healthy_step})"
    which = "/".join(part for part in (alert.name, "" if alert.mode == "train" else alert.mode) if part)
    line = f"step {alert.step} {f'{which} ' if which else ''}{title(alert)}: {alert.message}{back}"
    return printable(line, keep="")
