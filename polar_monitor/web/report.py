"""The report: one HTML file with runs, forms and uPlot in it, which opens without network and without a server."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import PolarMonitorError
from ..views.distribution import with_text
from ..views.find_logs import logs_of
from ..views.run_set import RunSet
from .assets import bundle, style, uplot

MAX_BYTES = 10_000_000
"""Largest report."""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; \
style-src 'unsafe-inline'; img-src data: blob:">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main id="polar-monitor"><noscript>{summary}</noscript></main>
<script type="application/json" id="polar-monitor-data">{data}</script>
<script>{uplot}</script>
<script type="module">
{forms}
</script>
</body>
</html>
"""


def runs_of(paths: Sequence[str | Path]) -> list[dict[str, Any]]:
    """Return the documents of all runs below some paths. Raises PolarMonitorError for a path without a log."""
    runs = RunSet()
    runs.refresh([log for path in paths for log in logs_of(path)])
    return runs.documents()


def page(runs: Sequence[dict[str, Any]]) -> str:
    """Return the report of some documents as HTML."""
    title = ", ".join(run["title"] for run in runs[:3]) + (" and others" if len(runs) > 3 else "")
    lines = [f"{run['title']}: {run['problem'] or run['text']}" for run in runs]
    data = json.dumps(with_text(runs), allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return PAGE.format(
        title=html.escape(f"{title} · Polar Monitor"),
        style=uplot("uPlot.min.css") + style(),
        summary="".join(f"<p>{html.escape(line)}</p>" for line in lines),
        data=data.replace("<", "\\u003c"),
        uplot=uplot("uPlot.iife.js").replace("</script", "<\\/script"),
        forms=bundle("report.js"),
    )


def write_report(paths: Sequence[str | Path], output: str | Path) -> int:
    """Write the report of all runs below some paths, and return its bytes. Raises PolarMonitorError or OSError."""
    return Path(output).write_bytes(page_bytes(runs_of(paths)))


def page_bytes(runs: Sequence[dict[str, Any]]) -> bytes:
    """Return the report of some documents. Raises PolarMonitorError if it is too large."""
    text = page(runs).encode()
    if len(text) > MAX_BYTES:
        raise PolarMonitorError(
            f"the report of these runs would have {len(text) / 1e6:.0f} MB, and it may have {MAX_BYTES / 1e6:.0f}: "
            "pass fewer runs"
        )
    return text
