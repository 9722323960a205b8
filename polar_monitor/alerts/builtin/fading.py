"""The alerts that are about one dimension: FADING, LOST and REVIVED.

FADING asks for all of this: the dimension has surely been worth something for some evaluations; it has surely fallen by
a share of its highest level, and deeper than it ever came back from (`detector`); it still falls, and is forecast to be
out of use soon (`forecast`). A fall within one evaluation needs no second one to confirm it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...regime.label import INFORMATIVE_LABELS, Label
from ...regime.regime import Regime
from ...statistics.snapshot import Array, Snapshot
from ...statistics.thresholds import INFORMATIVE, INFORMATIVE_MEAN_ONLY, PASSIVE, Z
from .. import advice
from ..advice import raised
from ..alert import Alert, AlertKind, Forecast
from ..alert_rules import AlertRules
from ..signals.forecast import outlook
from ..signals.history import BETA, NEVER, RATE, DimensionHistory, Flags
from . import attribution

SLIGHT = 0.05
"""A fall of the logarithm by less is no trouble yet."""
STOPPED = 20
"""Evaluations without a fall after which one is over."""


def follow(
    tracks: DimensionHistory, s: Snapshot, regime: Regime, rules: AlertRules
) -> tuple[DimensionHistory, list[Alert]]:
    """One evaluation, already remembered: the new tracks, and the alerts in the order of the dimensions."""
    now, error = tracks.information[-1], tracks.errors[-1]
    informative, passive = (_are(regime.labels, *kinds) for kinds in (INFORMATIVE_LABELS, (Label.PASSIVE,)))
    passive_now = _are(regime.latest, Label.PASSIVE)
    used = tracks.in_use > 0
    gone = used & (passive | (passive_now & surely_nothing(s) & (tracks.worthy >= rules.established)))
    revived = informative & ~passive_now & ~used & tracks.was_used
    going = ((informative & ~passive_now) | used) & ~gone
    lost = gone & (tracks.worthy >= rules.established)

    much = now - Z * error >= rules.worth
    worthy, proven = (np.where(going, count + much, 0) for count in (tracks.worthy, tracks.proven))
    established = going & (worthy >= rules.established)
    was_used = tracks.was_used | (going & (proven >= rules.established))
    tracks = replace(tracks, decline=tracks.decline.only(worthy > 0), was_used=was_used)
    sure = tracks.decline.fallen * now >= rules.significance * error
    still = now < tracks.information[-2:][0]
    cut = INFORMATIVE if s.has_variance else INFORMATIVE_MEAN_ONLY
    due = established & sure & still & (now > PASSIVE)
    ahead = outlook(tracks.information, tracks.interval, due, cut, tracks.told[:, BETA], tracks.told[:, RATE])
    due &= ahead.ahead <= rules.horizon
    falls = due & (now > cut) & tracks.decline.exceeds(rules.fall)
    plunges = due & tracks.decline.exceeds(rules.plunge) & plunged(tracks.information, tracks.errors, rules)
    plunges &= plunges.sum() >= min(2, established.sum())  # one alone may be trading places

    calm = np.where(going & ~falls & ~plunges, tracks.calm + 1, 0)
    over = tracks.warned & (calm >= STOPPED)  # where it is now is where the next fall begins
    tracks = replace(tracks, decline=tracks.decline.pardoned(over), warned=tracks.warned & ~over)
    slight = (tracks.decline.fallen - tracks.decline.excused <= SLIGHT) | ~going
    half = tracks.decline.fallen <= -0.5 * np.log1p(-rules.fall)
    new = replace(
        tracks,
        in_use=np.where(going, tracks.in_use + 1, 0),
        worthy=worthy,
        proven=proven,
        falling=np.where(falls, tracks.falling + 1, 0),
        calm=calm,
        warned=tracks.warned & going & ~(half & (calm >= rules.patience)),
        healthy=np.where(going, np.where(slight | (tracks.healthy == NEVER), s.step, tracks.healthy), NEVER),
        variance=np.where(slight, s.variance, tracks.variance),
        noise=np.where(slight, s.posterior_variance, tracks.noise),
        told_then=np.where(slight[:, None], tracks.told_before, tracks.told_then),
        named=np.where(slight & going, advice.UNKNOWN, tracks.named),
    )
    fading = ((new.falling >= rules.patience) | plunges) & ~new.warned
    if fading.any():
        found = attribution.named(tracks, s, plunges)
        named = np.where(fading & (new.named == advice.UNKNOWN), found, new.named)
        new = replace(new, warned=new.warned | fading, named=named)
    alerts = [_revived(s, j) for j in np.flatnonzero(revived).tolist()]
    alerts += [_lost(s, j, tracks) for j in np.flatnonzero(lost).tolist()]
    alerts += [_fading(s, j, new, ahead.forecast(j, s.step, bool(plunges[j]))) for j in np.flatnonzero(fading).tolist()]
    return new, sorted(alerts, key=lambda alert: alert.dimension or 0)


def surely_nothing(s: Snapshot) -> Flags:
    """Where this evaluation alone leaves no doubt: the upper bound of the information, or its certificate."""
    return np.asarray(
        np.fmin(s.information + Z * s.information_se, s.information_upper + Z * s.information_upper_se) <= PASSIVE
    )


def plunged(levels: Array, errors: Array, rules: AlertRules) -> Flags:
    """Which of the series (h, D) lost much within the last evaluation, and surely."""
    if len(levels) < 2:
        return np.zeros(levels.shape[1], np.bool_)
    error = np.hypot(errors[-2], errors[-1])
    return np.asarray(levels[-2] - levels[-1] >= np.maximum(rules.plunge * levels[-2], rules.significance * error))


def _are(labels: tuple[Label, ...], *kinds: Label) -> Flags:
    return np.array([label in kinds for label in labels], np.bool_)


def _revived(s: Snapshot, j: int) -> Alert:
    return raised(AlertKind.REVIVED, s.step, j, f"is in use again with {s.information[j]:.3f} nats", _now(s, j))


def _lost(s: Snapshot, j: int, tracks: DimensionHistory) -> Alert:
    where = np.arange(s.dimensions) == j
    place = advice.DEAD if attribution.dead(s, where) else int(tracks.named[j])
    said = f"is lost: {tracks.information[-1, j]:.3f} nats are left"
    return raised(
        AlertKind.LOST, s.step, j, said, _now(s, j), None, _step(tracks, j), advice.told(AlertKind.LOST, place)
    )


def _fading(s: Snapshot, j: int, tracks: DimensionHistory, forecast: Forecast) -> Alert:
    until = "no end" if forecast.high is None else f"{forecast.high}"
    now = float(s.information[j])
    highest = now * float(np.exp(tracks.decline.fallen[j]))
    said = (
        f"is fading: {now:.3f} of {highest:.3f} nats are left, "
        f"expected to be out of use at step {forecast.step} ({forecast.low} to {until})"
    )
    told = advice.told(AlertKind.FADING, int(tracks.named[j]))
    return raised(AlertKind.FADING, s.step, j, said, _now(s, j) | {"from": highest}, forecast, _step(tracks, j), told)


def _step(tracks: DimensionHistory, j: int) -> int | None:
    return None if tracks.healthy[j] == NEVER else int(tracks.healthy[j])


def _now(s: Snapshot, j: int) -> dict[str, float]:
    return {"information": float(s.information[j]), "information_se": float(s.information_se[j])}
