"""Arguments of a monitor, checked before it watches anything: an error is raised here or never."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from numbers import Integral, Real
from typing import Any

from .._validation import checked_prior, checked_resolution
from ..alerts.alert import Alert
from ..alerts.alert_rules import AlertRules, to_plain
from ..alerts.custom_rule import NamedRule, Rule
from ..alerts.registry import choose
from ..errors import PolarMonitorError
from ..regime import published
from ..schedule.schedule import Pace

MIN_WINDOW = 512
"""Smallest `window`."""


@dataclass(frozen=True)
class Options:
    """All arguments except those that say where the latents are and where the results go."""

    settings: Settings
    pace: Pace
    modes: tuple[str, ...]
    name: str
    on_alert: Callable[[Alert], None] | None
    strict: bool


def checked(
    *,
    prior: Any,
    resolution: Any,
    criterion: str,
    every: int | None,
    window: int,
    max_overhead: float,
    start_allowance: float,
    log_every: int | None,
    warmup: int,
    alerts: AlertRules | None,
    extra_rules: Sequence[str | Rule],
    on_alert: Callable[[Alert], None] | None,
    name: str | None,
    modes: Sequence[str],
    strict: bool,
) -> Options:
    """Return the options. Raises PolarMonitorError for the first argument that cannot be used."""
    published.check(criterion)
    numbers = [("window", window, MIN_WINDOW), ("warmup", warmup, 0)]
    numbers += [(word, n, 1) for word, n in (("every", every), ("log_every", log_every)) if n is not None]
    for word, number, minimum in numbers:
        if isinstance(number, bool) or not isinstance(number, Integral) or int(number) < minimum:
            raise PolarMonitorError(f"{word}: expected a whole number of {minimum} or more, got {number!r}")
    if isinstance(max_overhead, bool) or not isinstance(max_overhead, Real) or not 0 < max_overhead <= 1:
        raise PolarMonitorError(f"max_overhead: expected a share above 0 and at most 1, got {max_overhead!r}")
    if isinstance(start_allowance, bool) or not isinstance(start_allowance, Real) or not 0 <= start_allowance < inf:
        raise PolarMonitorError(f"start_allowance: expected seconds, 0 or more, got {start_allowance!r}")
    if every is not None and log_every is not None:
        raise PolarMonitorError(
            f"log_every: expected None beside every={every}, which is used in quiet stretches too, got {log_every}: "
            f"leave out one of the two"
        )
    if isinstance(modes, str):
        raise PolarMonitorError(f'modes: expected a tuple, as in ("train",), got the string {modes!r}')
    if not modes or not set(modes) <= {"train", "eval"}:
        raise PolarMonitorError(f'modes: expected some of ("train", "eval"), got {modes!r}')
    if alerts is not None and not isinstance(alerts, AlertRules):
        raise PolarMonitorError(f"alerts: expected AlertRules(…), got {type(alerts).__name__}")
    if on_alert is not None and not callable(on_alert):
        raise PolarMonitorError(f"on_alert: expected a callable that takes an Alert, got {type(on_alert).__name__}")
    if name is not None and not isinstance(name, str):
        raise PolarMonitorError(f"name: expected a string, got {type(name).__name__}")
    if name in ("train", "eval"):
        raise PolarMonitorError(f"name: expected any name except 'train' and 'eval', got {name!r}: write name='latent'")
    settings = Settings(
        window=int(window),
        prior=checked_prior(prior),
        resolution=checked_resolution(resolution),
        criterion=criterion,
        rules=alerts or AlertRules(),
        warmup=int(warmup),
        name=name or "",
        extra=choose(extra_rules, strict=strict),
    )
    pace = Pace(
        every=None if every is None else int(every),
        max_overhead=float(max_overhead),
        window=int(window),
        start_allowance=float(start_allowance),
        log_every=None if log_every is None else int(log_every),
    )
    return Options(settings, pace, tuple(modes), name or "", on_alert, strict)


@dataclass(frozen=True)
class Settings:
    """Options that all pipelines of a monitor share."""

    window: int
    prior: tuple[Any, Any] | None
    criterion: str
    rules: AlertRules
    warmup: int
    name: str = ""
    resolution: float | None = None
    extra: tuple[NamedRule, ...] = ()
    """Rules of third parties."""

    def setup(self) -> dict[str, Any]:
        """Return what a log must contain so that its alerts can be replayed, as plain data."""
        extra = [rule.name for rule in self.extra]
        return {"rules": to_plain(self.rules), "warmup": self.warmup, "extra_rules": extra}
