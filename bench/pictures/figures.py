"""Times of the page for a long run: size, first paint, and frames while the mouse moves over the lifelines."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from polar_monitor.views.course import Course
from polar_monitor.views.distribution import MAX_DRAWN
from polar_monitor.views.document import documents
from polar_monitor.views.find_logs import LOG
from polar_monitor.views.log import RunLog
from polar_monitor.web.report import page as report_page

from .chromium import open_page

EVALUATIONS = 2000
TIMED = """window.spent = [];
const ask = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (work) => ask((now) => {
  const began = performance.now();
  work(now);
  if (window.moving) window.spent.push(performance.now() - began);
});"""
"""Script that times every redrawing."""
FRAMES = """async () => {
  const area = document.querySelector('div.lifelines'), box = area.firstChild.getBoundingClientRect(), times = [];
  window.moving = true;
  for (let i = 0; i < 240; i++) {
    await new Promise(requestAnimationFrame);
    times.push(performance.now());
    const place = { clientX: box.left + 90 + ((i * 7) % 600), clientY: box.top + 90, bubbles: true };
    area.dispatchEvent(new PointerEvent('pointermove', place));
  }
  const gaps = times.slice(1).map((t, i) => t - times[i]).sort((a, b) => a - b);
  const spent = window.spent.filter((ms) => ms > 0.05).sort((a, b) => a - b);
  const at = (list, share) => list[Math.floor(list.length * share)];
  return { median: at(gaps, 0.5), p95: at(gaps, 0.95), work: at(spent, 0.5), work95: at(spent, 0.95) };
}"""
PAINT = "performance.getEntriesByType('paint').find((one) => one.name === 'first-contentful-paint')?.startTime"


def long_course(folder: Path) -> Course:
    """Return the course of a run with its evaluations repeated until there are `EVALUATIONS`."""
    log = RunLog(folder / LOG)
    log.refresh()
    (course,) = log.courses.values()
    points, times = course.points, -(-EVALUATIONS // len(course.points))
    many = [point for point in points for _ in range(times)][:EVALUATIONS]
    long = Course("", "train")
    long.points = [point._replace(step=(i + 1) * 10, number=i + 1) for i, point in enumerate(many)]
    long.begun = 1
    steps = [(i + 1) * 10 * EVALUATIONS // MAX_DRAWN for i in range(MAX_DRAWN)]
    long.drawn = [(step, course.drawn[i % len(course.drawn)][1]) for i, step in enumerate(steps)]
    return long


def figures(browser: Any, folder: Path, output: Path) -> dict[str, float]:
    """Return the figures of a run with as many evaluations as a long one has."""
    log = RunLog(folder / LOG)
    log.courses, log.size = {("", "train"): long_course(folder)}, 1
    began = time.perf_counter()
    runs = documents(log, "long run")
    made = time.perf_counter() - began
    path = output / "long.html"
    path.write_text(report_page(runs), encoding="utf-8")
    size = round(path.stat().st_size / 1e6, 2)
    page = open_page(browser, path.resolve().as_uri(), 1280, script=TIMED)
    frames, paint = page.evaluate(FRAMES), page.evaluate(PAINT)
    page.close()
    path.write_text(report_page([run | {"distributions": None} for run in runs]), encoding="utf-8")
    page = open_page(browser, path.resolve().as_uri(), 1280)
    page.wait_for_timeout(500)
    plain = page.evaluate(PAINT)
    page.close()
    return {
        "dimensions": runs[0]["dimensions"],
        "evaluations": EVALUATIONS,
        "document, s": round(made, 2),
        "document, MB": round(len(json.dumps(runs)) / 1e6, 2),
        "report, MB": size,
        "first paint, ms": round(paint),
        "first paint without histograms, ms": round(plain),
        "redrawing on hover, median ms": round(frames["work"], 1),
        "redrawing on hover, 95 % ms": round(frames["work95"], 1),
        "frame on hover, median ms": round(frames["median"], 1),
        "frame on hover, 95 % ms": round(frames["p95"], 1),
    }
