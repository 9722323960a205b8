"""The tab is found, loads nothing heavy, is silent without data, and cannot break TensorBoard."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pages.logs import falling_run, write_log
from werkzeug.test import Client

from polar_monitor.sinks.jsonl_record import to_line
from polar_monitor.tensorboard_plugin import Loader
from polar_monitor.tensorboard_plugin.logs import LogFinder
from polar_monitor.tensorboard_plugin.plugin import PolarisationPlugin
from polar_monitor.web.report import runs_of

ROOT = Path(__file__).resolve().parents[2]


def plugin_of(folder: Path, spec: str = "") -> PolarisationPlugin:
    plugin = PolarisationPlugin(SimpleNamespace(logdir=str(folder), flags=SimpleNamespace(logdir_spec=spec)))
    plugin._logs._next = 0.0
    return plugin


def ask(plugin: PolarisationPlugin, seen: str = "") -> Any:
    plugin._logs._next = 0.0
    answer = Client(plugin.get_plugin_apps()["/runs"]).get("/", query_string={"seen": seen})
    assert answer.status_code == 200
    return json.loads(answer.get_data())


def test_the_entry_point_is_the_loader() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["tensorboard_plugins"] == {"polarisation": "polar_monitor.tensorboard_plugin:Loader"}


def test_finding_the_tab_loads_nothing_heavy() -> None:
    code = (
        "from polar_monitor.tensorboard_plugin import Loader; import sys; "
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'torch', 'numba', 'matplotlib', 'rich'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"


def test_reading_runs_needs_neither_torch_nor_the_compiler(tmp_path: Path) -> None:
    write_log(tmp_path, falling_run())
    code = (
        "import polar_monitor.tensorboard_plugin.plugin; from polar_monitor.web.report import runs_of; import sys; "
        f"runs_of([{str(tmp_path)!r}]); print([name for name in ('torch', 'numba') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"


def test_without_data_the_tab_is_not_active_and_says_what_to_write(tmp_path: Path) -> None:
    plugin = plugin_of(tmp_path)
    assert not plugin.is_active()
    assert "polar_monitor.attach(model, log_dir=" in ask(plugin)["error"]
    assert not plugin_of(tmp_path / "nowhere").is_active()


def test_the_runs_are_those_of_the_report_and_grow(tmp_path: Path) -> None:
    run = falling_run()
    path = write_log(tmp_path / "a", run[:3])
    plugin = plugin_of(tmp_path)
    assert plugin.is_active()
    first = ask(plugin)
    (of_report,) = runs_of([tmp_path])
    (of_tab,) = first["runs"]
    assert of_tab | {"made": 0} == json.loads(json.dumps(of_report)) | {"made": 0}
    assert ask(plugin, first["seen"])["runs"] is None
    with open(path, "ab") as file:
        file.write(to_line(run[3]))
    assert ask(plugin, first["seen"])["runs"][0]["step"] == 400


def test_what_fails_becomes_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_log(tmp_path, falling_run())
    plugin = plugin_of(tmp_path)
    monkeypatch.setattr(plugin._runs, "documents", lambda: 1 / 0)
    assert "ZeroDivisionError" in ask(plugin)["error"]
    monkeypatch.setattr(plugin._logs, "find", lambda: 1 / 0)
    assert not plugin.is_active()


def test_a_loader_that_fails_gives_no_plugin(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="polar_monitor"):
        assert Loader().load(None) is None
    assert "the tab Polarisation is left out" in caplog.text


def test_files_are_served_by_name_only(tmp_path: Path) -> None:
    apps = plugin_of(tmp_path).get_plugin_apps()
    answer = Client(apps["/page.js"]).get("/")
    assert answer.content_type.startswith("text/javascript")
    assert "export function drawPage" in answer.get_data(as_text=True)
    assert {"/tab.js", "/style.css", "/uPlot.iife.js", "/uPlot.min.css"} <= set(apps)


def test_folders_of_a_spec(tmp_path: Path) -> None:
    write_log(tmp_path / "x", falling_run()[:1])
    assert LogFinder("", f"one:{tmp_path}").find() == [tmp_path / "x" / "polar.jsonl"]
    assert LogFinder(None, None).find() == []


def test_links_are_followed_and_circles_end(tmp_path: Path) -> None:
    write_log(tmp_path / "elsewhere" / "x", falling_run()[:1])
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "linked").symlink_to(tmp_path / "elsewhere" / "x", target_is_directory=True)
    (tmp_path / "runs" / "circle").symlink_to(tmp_path / "runs", target_is_directory=True)
    assert LogFinder(str(tmp_path / "runs")).find() == [tmp_path / "runs" / "linked" / "polar.jsonl"]
