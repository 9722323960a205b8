"""Serves the tab: its files, and the documents of the runs below the log folder, read by offset while they grow."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from tensorboard.backend import http_util
from tensorboard.plugins import base_plugin
from werkzeug import wrappers

from ..views.run_set import RunSet
from ..web.assets import FORMS, UPLOT, form, style, uplot
from .events import Events
from .logs import MAX_LOGS, LogFinder

NOTHING = (
    "No run of Polar Monitor below this log folder. One is written by "
    "polar_monitor.attach(model, log_dir=…), with the folder that TensorBoard shows."
)
App = Callable[..., Any]


class PolarisationPlugin(base_plugin.TBPlugin):  # type: ignore[misc]
    """Tab that shows the runs of Polar Monitor, from their logs, or from their events where there is no log here.

    Errors become a sentence in the tab.
    """

    plugin_name = "polarisation"

    def __init__(self, context: Any) -> None:
        self._logs = LogFinder(context.logdir, getattr(context.flags, "logdir_spec", ""))
        self._runs = RunSet()
        self._events = Events(getattr(context, "data_provider", None))
        self._lock = threading.Lock()

    def is_active(self) -> bool:
        """Return True if there is a run to show."""
        try:
            return bool(self._logs.find()) or bool(self._events.runs())
        except Exception:
            return False

    def frontend_metadata(self) -> Any:
        """Return the name of the tab and its module."""
        return base_plugin.FrontendMetadata(es_module_path="/tab.js", tab_name="Polarisation")

    def get_plugin_apps(self) -> Mapping[str, App]:
        """Return what is served below the plugin's route."""
        apps = {f"/{path.name}": _file(form, path.name, "text/javascript") for path in FORMS.glob("*.js")}
        apps |= {f"/{name}": _file(uplot, name, kind) for name, kind in UPLOT.items()}
        apps["/style.css"] = _file(lambda _: style(), "style.css", "text/css")
        apps["/runs"] = wrappers.Request.application(self._answer)
        return apps

    def _answer(self, request: wrappers.Request) -> Any:
        """Answer with all runs, or without any if they are those that the page has seen."""
        try:
            answer = self._runs_after(request.args.get("seen", ""))
        except Exception as error:
            answer = {"error": f"The runs cannot be shown ({type(error).__name__}: {error})."}
        return http_util.Respond(request, json.dumps(answer, allow_nan=False), "application/json")

    def _runs_after(self, seen: str) -> dict[str, Any]:
        with self._lock:
            paths = self._logs.find()
            others = {run: names for run, names in self._events.runs().items() if not self._logs.has(run)}
            others = dict(list(others.items())[:MAX_LOGS])
            if not paths and not others:
                return {"error": NOTHING}
            now = self._runs.refresh(paths)
            now = f"{now}|{self._events.state(others)}"
            if now == seen:
                return {"seen": now, "runs": None}
            of_events = [one for run, names in others.items() for one in self._events.documents(run, names)]
            return {"seen": now, "runs": self._runs.documents() + of_events}


def _file(read: Callable[[str], str], name: str, kind: str) -> App:
    """Return an app that serves a text file of the package."""

    @wrappers.Request.application
    def serve(request: wrappers.Request) -> Any:
        text = read(name)
        return http_util.Respond(request, text, kind, code=200 if text else 404)

    return serve
