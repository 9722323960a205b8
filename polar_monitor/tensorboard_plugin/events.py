"""Documents of runs from TensorBoard's events alone, where no log of the run is on this machine.

Events have less than the log: nats and labels of the dimensions that have lines, the newest texts, and no errors, no
noise and no criteria. Each document says so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from tensorboard.context import RequestContext
from tensorboard.data.provider import RunTagFilter

from ..arrays.short_floats import Array
from ..context import Context
from ..regime.regime import Verdict
from ..sinks.scalars import STATE_CODES
from ..views.course import Course
from ..views.document import document
from ..views.point import ARRAYS, Point
from .alert_text import read_alerts

TOTAL = re.compile(r"polar/((?:[\w.\-]+/)*)information")
"""Tag of the nats of all dimensions, of which each latent in each mode has one; its group is their prefix."""
MAX_POINTS, MAX_TEXTS = 1000, 200
LETTERS = {code: label[0] for label, code in STATE_CODES.items()}
STATES = ("active", "passive", "mixed", "undecided")
NOTE = (
    "read from TensorBoard's events, as the run has no polar.jsonl here: no errors, no split plane and no criteria, of "
    "a wide latent only the dimensions that have lines, and of the alerts only those that TensorBoard kept"
)
Series = Mapping[str, list[Any]]
"""Points of each tag of a run."""


class Events:
    """The runs of a TensorBoard's data provider that are ours."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider

    def runs(self) -> dict[str, list[str]]:
        """Return the prefixes of each run that has numbers of Polar Monitor."""
        if self._provider is None:
            return {}
        listed = self._provider.list_scalars(RequestContext(), experiment_id="", plugin_name="scalars")
        ours = {run: [m[1] for tag in tags if (m := TOTAL.fullmatch(tag))] for run, tags in listed.items()}
        return {run: sorted(prefixes) for run, prefixes in sorted(ours.items()) if prefixes}

    def state(self, runs: Mapping[str, list[str]]) -> str:
        """Return a text that changes whenever one of these runs goes on."""
        if not runs:
            return ""
        tags = {f"polar/{prefix}information" for prefixes in runs.values() for prefix in prefixes}
        newest = self._provider.read_last_scalars(
            RequestContext(),
            experiment_id="",
            plugin_name="scalars",
            run_tag_filter=RunTagFilter(runs=list(runs), tags=sorted(tags)),
        )
        steps = ((run, tag, newest[run][tag].step) for run in sorted(newest) for tag in sorted(newest[run]))
        return "|".join(f"{run}:{tag}:{step}" for run, tag, step in steps)

    def documents(self, run: str, prefixes: list[str]) -> list[dict[str, Any]]:
        """Return a document for each latent and mode of a run; none for one that has no numbers yet."""
        filters = RunTagFilter(runs=[run])
        scalars = self._read(self._provider.read_scalars, "scalars", filters, MAX_POINTS).get(run, {})
        texts = self._read(self._provider.read_tensors, "text", filters, MAX_TEXTS).get(run, {})
        data = []
        for prefix in prefixes:
            course = _course(prefix, scalars, texts)
            if course.measured:
                title = run if run != "." else "run"
                title = f"{title} · {prefix.rstrip('/')}" if len(prefixes) > 1 and prefix else title
                data.append(document(course, title, run, [NOTE]))
        return data

    def _read(self, read: Callable[..., Any], plugin: str, filters: RunTagFilter, most: int) -> Mapping[str, Series]:
        answer: Mapping[str, Series] = read(
            RequestContext(), experiment_id="", plugin_name=plugin, run_tag_filter=filters, downsample=most
        )
        return answer


def _course(prefix: str, scalars: Series, texts: Series) -> Course:
    """Return the evaluations of one latent in one mode: a line that has no point at a step has that before."""
    course = Course(prefix.rstrip("/"), "eval" if prefix.endswith("eval/") else "train")
    total = scalars.get(f"polar/{prefix}information", [])
    steps = [point.step for point in total]
    nats, states = (_lines(f"polar_dims/{prefix}{word}/", scalars, steps) for word in ("information", "state"))
    counts = [_at(scalars.get(f"polar/{prefix}{state}", []), steps) for state in STATES]
    alerts = [(datum.step, alert) for datum in texts.get(f"polar/{prefix}alerts", []) for alert in _alerts(datum)]
    verdicts = [(datum.step, _verdict(_text(datum))) for datum in texts.get(f"polar/{prefix}verdict", [])]
    overhead = _at(scalars.get(f"polar/{prefix}overhead", []), steps)
    logged = {name: _at(scalars.get(f"overview/{prefix}{name}", []), steps) for name in vars(Context())}
    if not steps or not nats:
        return course
    dimensions = max(int(np.nansum([count[-1] for count in counts])), max(nats) + 1)
    unknown = np.full(dimensions, math.nan)
    before = -1
    for i, point in enumerate(total):
        information = unknown.copy()
        letters = ["p"] * dimensions  # a dimension in use has its line
        for j, line in nats.items():
            information[j] = line[i]
            letters[j] = LETTERS.get(int(states[j][i]), "u") if j in states and np.isfinite(states[j][i]) else "p"
        arrays = dict.fromkeys(ARRAYS, unknown) | {"information": information}
        for name in ("variance", "posterior_variance"):
            del arrays[name]
        verdict, reasons = next((v for step, v in reversed(verdicts) if step <= point.step), ("graded", ()))
        course.add(
            Point(
                step=point.step,
                time=point.wall_time,
                name=course.name,
                mode=course.mode,
                number=i + 1,
                resumed=False,
                alerts=tuple(alert for step, alert in alerts if before < step <= point.step),
                overhead=float(overhead[i]) if np.isfinite(overhead[i]) else None,
                errors=0,
                context={name: float(values[i]) for name, values in logged.items() if np.isfinite(values[i])},
                verdict=verdict,
                reasons=reasons,
                letters="".join(letters),
                has_variance=True,
                rows=0,
                rows_to=-1,
                arrays=arrays,
            )
        )
        before = point.step
    return course


def _lines(head: str, scalars: Series, steps: list[int]) -> dict[int, Array]:
    """Return the numbers of each dimension with a line at the steps."""
    tags = ((tag, tag.removeprefix(head)) for tag in scalars if tag.startswith(head))
    return {int(number): _at(scalars[tag], steps) for tag, number in tags if number.isdecimal()}


def _at(points: list[Any], steps: list[int]) -> Array:
    """Return the newest value at or before each step, NaN before the first."""
    values = np.array([math.nan, *(point.value for point in points)])
    return values[np.searchsorted([point.step for point in points], steps, side="right")]


def _text(datum: Any) -> str:
    content = datum.numpy.reshape(-1)
    return content[0].decode("utf-8", "replace") if content.size and isinstance(content[0], bytes) else ""


def _alerts(datum: Any) -> Iterator[Any]:
    yield from read_alerts(_text(datum))


def _verdict(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the verdict of a text, and its reasons."""
    head, *lines = text.split("\n")
    verdict = head.strip("*")
    reasons = tuple(line[2:].replace("\\", "") for line in lines if line.startswith("* "))
    return (verdict if verdict in set(Verdict) else str(Verdict.GRADED)), reasons
