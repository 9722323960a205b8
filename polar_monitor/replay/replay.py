"""Replays a recorded run: raises the alerts of its log again, and compares them with those of the run.

The log holds snapshots and settled labels. The alert engine runs over them as in a live run. The log also names the
rules that were live; a log of an older version does not, and then the defaults apply. If a run was resumed, the log
holds the state of the alerts at that point.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..alerts.alert import Alert, add_alert
from ..alerts.alert_rules import AlertRules, from_plain, to_plain
from ..alerts.custom_rule import NamedRule, Rule, of_rule
from ..alerts.engine import AlertEngine
from ..alerts.observation import Observation
from ..alerts.registry import choose, installed
from ..arrays.finite_json import finite_json
from ..errors import PolarMonitorError
from ..evaluation import Evaluation
from ..sinks.jsonl import read_numbered
from ..sinks.missing_records import Numbered, missing_records, sentence_on
from .record import Setup, one_error, resumed, setup_of


@dataclass(frozen=True)
class Replay:
    """The alerts of a run, and those that rules raise on its log."""

    evaluations: int
    """Evaluations in the log."""
    live: tuple[Alert, ...]
    """Alerts of the run, as its log holds them."""
    replayed: tuple[Alert, ...]
    """Alerts that the rules raise on the log."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """The reason, for each third-party rule of the run that cannot be asked here."""
    added: tuple[str, ...] = ()
    """Names of third-party rules that the run did not have."""
    torn: int | None = None
    """The number of a truncated last line, which was left out."""
    replaced: int = 0
    """Evaluations that were left out because a later run, or a resumed one, wrote them again in the same log."""
    losses: tuple[str, ...] = ()
    """Sentences about evaluations that the log has lost: the replay may raise other alerts after them."""

    @property
    def left_out(self) -> tuple[Alert, ...]:
        """Alerts of the run that cannot be compared: their rule is missing."""
        return tuple(alert for alert in self.live if any(of_rule(alert, name) for name in self.missing))

    @property
    def both(self) -> tuple[Alert, ...]:
        """Alerts of the run that the replay matched to the last digit."""
        return _split(self.live, self.replayed)[0]

    @property
    def only_live(self) -> tuple[Alert, ...]:
        """Alerts that only the run raised, by rules that are not missing."""
        left_out = set(map(id, self.left_out))
        return tuple(alert for alert in _split(self.live, self.replayed)[1] if id(alert) not in left_out)

    @property
    def only_replayed(self) -> tuple[Alert, ...]:
        """Alerts that only the replay raised."""
        return _split(self.replayed, self.live)[1]


def replay(
    path: str | os.PathLike[str],
    rules: AlertRules | Mapping[str, Any] | None = None,
    warmup: int | None = None,
    strict: bool = False,
    extra_rules: Sequence[str | Rule] = (),
) -> Replay:
    """Run the alert rules over a log, or over the only log in the folder of a run.

    Args:
        path: A .jsonl file that a monitor has written, or a folder with one.
        rules: Rules in place of those of the run, or some of their fields: the others stay as in the run.
        warmup: A warm-up, in steps, in place of that of the run.
        strict: True to raise an error for a torn last line, as a killed run leaves it; else it is left out.
        extra_rules: Third-party rules of the run that no installed package offers: objects, or names of entry points.
            A rule that the run did not have is asked at every evaluation.

    Raises:
        PolarMonitorError: There is no log, an empty one, or several in the folder; the file is no log; or the rules
            make no sense.

    Example:
        >>> from polar_monitor.replay import replay
        >>> result = replay("runs/demo")  # doctest: +SKIP
        >>> result.live == result.replayed  # doctest: +SKIP
        True
    """
    if warmup is not None and (isinstance(warmup, bool) or not isinstance(warmup, int) or warmup < 0):
        raise PolarMonitorError(f"warmup: expected a whole number of steps from 0 on, got {warmup!r}")
    file = log_of(path)
    records, torn, replaced = read_numbered(file, strict=strict)
    if not records:
        raise PolarMonitorError(f"{file}: expected evaluations, got {'none' if torn is None else 'a part of one'}")
    setups = _setups(records, file, rules, warmup)
    wanted = {name for setup in setups.values() for name in setup.names}
    custom_rules, missing = _available(wanted, choose(extra_rules))
    added = tuple(name for name in custom_rules if name not in wanted)
    engines: dict[tuple[str, str], AlertEngine] = {}
    live: list[Alert] = []
    replayed: list[Alert] = []
    for line, record in records.items():
        setup, key, where = setups[line], (record.name, record.mode), f"{file}, line {line}"
        if record.resumed is not None and (key not in engines or (rules is None and warmup is None)):
            before = engines.get(key, AlertEngine()).custom_states
            engines[key] = resumed(record, where)
            engines[key].custom_states |= {name: state for name, state in before.items() if name in added}
        engine = engines.setdefault(key, AlertEngine())
        engine.custom_rules = tuple(custom_rules[name] for name in (*setup.names, *added) if name in custom_rules)
        for alert in _evaluate(engine, record, setup, where):
            add_alert(replayed, alert)
        for alert in record.alerts:
            add_alert(live, alert)
    return Replay(len(records), tuple(live), tuple(replayed), missing, added, torn, replaced, _losses(records.values()))


def log_of(path: str | os.PathLike[str]) -> Path:
    """Return the log that a path stands for. Raises PolarMonitorError if a folder has none or several."""
    path = Path(path)
    if not path.is_dir():
        return path
    logs = sorted(path.rglob("*.jsonl"))
    if len(logs) != 1:
        names = ", ".join(str(log.relative_to(path)) for log in logs[:8]) or "none"
        raise PolarMonitorError(f"{path}: expected one .jsonl log in the folder, got {names}; pass the file itself")
    return logs[0]


def _losses(records: Collection[Evaluation]) -> tuple[str, ...]:
    """Return a sentence for each latent of which the log has lost evaluations."""
    of_name: dict[str, list[Numbered]] = {}
    for record in records:
        numbered = Numbered(record.health.evaluations, record.step, record.resumed is not None)
        of_name.setdefault(record.name, []).append(numbered)
    sentences = (sentence_on(missing_records(numbered), name) for name, numbered in of_name.items())
    return tuple(sentence for sentence in sentences if sentence)


def _setups(
    records: Mapping[int, Evaluation], file: Path, rules: AlertRules | Mapping[str, Any] | None, warmup: int | None
) -> dict[int, Setup]:
    """Return the rules of each record, by line, with the changes that were asked for."""
    changes: dict[str, Any] = {}
    if isinstance(rules, AlertRules):
        changes = to_plain(rules)
    elif rules is not None:
        from_plain(rules)
        changes = dict(rules)
    setups = {line: setup_of(record, changes, f"{file}, line {line}") for line, record in records.items()}
    if warmup is not None:
        setups = {line: replace(setup, warmup=warmup) for line, setup in setups.items()}
    return setups


def _evaluate(engine: AlertEngine, record: Evaluation, setup: Setup, where: str) -> list[Alert]:
    r = record
    with one_error(f"{where}: expected numbers that a run can have made"):
        observation = Observation(r.step, r.observed, r.snapshot, r.regime, r.context)
        alerts = engine.evaluate(observation, setup.rules, setup.warmup)
    return [replace(alert, name=r.name, mode=r.mode) for alert in alerts]


def _available(names: Collection[str], given: Sequence[NamedRule]) -> tuple[dict[str, NamedRule], dict[str, str]]:
    """Return the third-party rules that can be asked, given or installed, and the reason for each other one."""
    available, missing = {rule.name: rule for rule in given}, {}
    points = {point.name for point in installed()}
    for name in sorted(set(names) - set(available)):
        if name not in points:
            missing[name] = "is not installed, nor given with --extra MODULE:NAME"
            continue
        try:
            (available[name],) = choose([name])
        except PolarMonitorError as error:
            missing[name] = f"is installed, but fails: {error}"
    return available, missing


def _split(these: Sequence[Alert], those: Sequence[Alert]) -> tuple[tuple[Alert, ...], tuple[Alert, ...]]:
    """Return the alerts of `these` that match one of `those`, each used at most once, and the other ones."""
    left, matched, others = Counter(map(_key, those)), list[Alert](), list[Alert]()
    for alert in these:
        key = _key(alert)
        (matched if left[key] else others).append(alert)
        left[key] -= left[key] > 0
    return tuple(matched), tuple(others)


def _key(alert: Alert) -> str:
    """Return the alert as text, with all its fields, and the evidence as in a log."""
    return json.dumps(alert.to_dict() | {"evidence": finite_json(dict(alert.evidence))}, sort_keys=True, default=str)
