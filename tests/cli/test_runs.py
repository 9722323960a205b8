"""`polar-monitor tail`, `compare`, `export` and `check` on runs."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages.logs import fading_alert, falling_run, never_finite, write_log
from records import ACTIVE, PASSIVE, make_evaluation, make_run

import polar_monitor
from polar_monitor.cli import main, screen
from polar_monitor.cli.export import WRITERS
from polar_monitor.context import Context
from polar_monitor.sinks.jsonl_record import to_line


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_log(tmp_path / "run", falling_run({500: (fading_alert(500, [0]),)}))
    return tmp_path / "run"


class Piped:
    """Standard input that holds bytes."""

    def __init__(self, content: bytes, terminal: bool = False) -> None:
        self.buffer, self._terminal = io.BytesIO(content), terminal

    def isatty(self) -> bool:
        return self._terminal


def test_tail_prints_the_newest_lines_and_their_alerts(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tail", str(run), "--once", "-n", "3"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert [line[:14].split() for line in lines[:1] + lines[2:]] == [["step", step] for step in ("500", "600", "700")]
    assert lines[1].startswith("  FADING: ")
    assert "2 of 5 in use" in lines[-1]
    assert "3.003 nats" in lines[-1]
    assert "\x1b" not in out
    assert err == ""


def test_lines_that_are_left_out_are_said_by_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    log = write_log(tmp_path / "run", falling_run())
    log.write_bytes(log.read_bytes() + b"[1]\n")
    for words in (
        ["tail", "run", "--once"],
        ["check", "run"],
        ["compare", "run"],
        ["report", "run"],
        ["export", "run"],
    ):
        assert main(words) == 0
        assert "1 line is left out" in capsys.readouterr().err, words


def test_tail_as_json_is_an_object_a_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tail", str(run), "--once", "--json"]) == 0
    records = [json.loads(line, parse_constant=pytest.fail) for line in capsys.readouterr().out.splitlines()]
    assert [one["step"] for one in records] == [100, 200, 300, 400, 500, 600, 700]
    assert records[4]["alerts"][0]["kind"] == "fading"
    assert records[-1]["labels"] == ["active", "active", "passive", "passive", "undecided"]
    assert records[-1]["in_use"] == 2


def test_tail_follows_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    evaluations = falling_run()
    log = write_log(tmp_path, [])
    command = [sys.executable, "-m", "polar_monitor", "tail", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        assert tail.stderr is not None
        assert "no evaluation yet" in tail.stderr.readline()
        for one in evaluations[:2]:
            with log.open("ab") as file:
                line = to_line(one)
                file.write(line[:50])
                file.flush()
                file.write(line[50:])
            assert f"{one.step} " in tail.stdout.readline()
        tail.send_signal(signal.SIGINT)
        out, err = tail.communicate(timeout=60)
    assert (out, err, tail.returncode) == ("", "", 130)


def test_colours_only_on_a_terminal_that_wants_them(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    main(["tail", str(run), "--once"])
    assert "\x1b[1;31m  FADING: " in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    main(["tail", str(run), "--once"])
    assert "\x1b" not in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setenv("TERM", "dumb")
    assert not screen.has_colour()


def test_compare_has_a_column_for_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, beta in (("a", 1.0), ("b", 4.0)):
        context = Context(beta=beta, learning_rate=0.001, reconstruction=beta)
        evaluations = falling_run({500: (fading_alert(500, [0]),)} if name == "a" else {})
        write_log(tmp_path / name, [replace(one, context=context) for one in evaluations])
    write_log(tmp_path / "c", [])
    assert main(["compare", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    head, first, second, empty, shared = out.splitlines()
    assert head.split() == ["run", "verdict", "in", "use", "nats", "step", "alerts", "beta"]
    assert first.split() == ["a", "polarised", "2", "of", "5", "3.00", "700", "1", "fading", "1"]
    assert second.split() == ["b", "polarised", "2", "of", "5", "3.00", "700", "none", "4"]
    assert (empty, shared) == ("", "the same in all: learning_rate 0.001")
    assert err.count("\n") == 1
    assert "the log is empty" in err
    assert head.index("nats") + len("nats") == first.index("3.00") + len("3.00")
    assert main(["compare", str(tmp_path), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert [(one["title"], one["context"]["beta"]) for one in rows] == [("a", 1.0), ("b", 4.0)]


def test_compare_sorts_by_any_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, beta, count in (("x2", 4.0, 7), ("x10", 1.0, 5), ("x1", None, 3)):
        evaluations = falling_run({300: (fading_alert(300, [0]),)} if name == "x10" else {})[:count]
        context = Context() if beta is None else Context(beta=beta)
        write_log(tmp_path / name, [replace(one, context=context) for one in evaluations])
    for column, order in (
        ("run", ["x1", "x2", "x10"]),
        ("beta", ["x10", "x2", "x1"]),
        ("nats", ["x2", "x10", "x1"]),
        ("step", ["x1", "x10", "x2"]),
        ("alerts", ["x1", "x2", "x10"]),
    ):
        assert main(["compare", str(tmp_path), "--sort", column]) == 0
        assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:4]] == order
        assert main(["compare", str(tmp_path), "--sort", column, "--reverse", "--json"]) == 0
        assert [one["title"] for one in json.loads(capsys.readouterr().out)] == order[::-1]
    assert main(["compare", str(tmp_path), "--sort", "nat"]) == 2
    err = capsys.readouterr().err
    assert "expected one of run, verdict, in use, nats, step, alerts, beta, got 'nat' (did you mean nats?)" in err


def test_exported_records_are_those_of_read(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = polar_monitor.read(run)
    assert main(["export", str(run)]) == 0
    out, err = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(int(r["step"]), int(r["dimension"]), float(r["nats"]), r["label"]) for r in rows] == [
        (r.step, r.dimension, r.nats, r.label) for r in history
    ]
    assert {r["run"] for r in rows} == {"run"}
    assert err == "polar-monitor export: 35 records of 1 run\n"
    assert main(["export", str(run), "-o", str(tmp_path / "x.jsonl")]) == 0
    lines = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    known = [("run", *(None if value != value else value for value in record)) for record in history]
    assert [tuple(row.values()) for row in lines] == known
    assert main(["export", str(run), "-o", str(tmp_path / "no" / "x.csv")]) == 2
    assert "pass a file in another folder" in capsys.readouterr().err


def test_what_is_not_finite_is_empty_or_null(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_log(tmp_path / "a", never_finite())
    write_log(tmp_path / "b", make_run(2, 2, bins=8))
    write_log(tmp_path / "c", [])
    assert main(["export", str(tmp_path), "--json"]) == 0
    out, err = capsys.readouterr()
    assert "the log is empty" in err
    rows = [json.loads(line, parse_constant=pytest.fail) for line in out.splitlines()]
    assert [row["nats"] for row in rows if row["run"] == "a"] == [None] * 12
    assert sum(row["run"] == "b" for row in rows) == 4
    assert main(["export", str(tmp_path / "a"), "--csv"]) == 0
    assert next(csv.DictReader(io.StringIO(capsys.readouterr().out)))["nats"] == ""


def test_parquet_needs_a_file_and_a_library(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(run), "--parquet"]) == 2
    assert "pass a file, -o run.parquet" in capsys.readouterr().err
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["export", str(run), "-o", str(tmp_path / "x.parquet")]) == 2
    assert "Parquet needs pyarrow or polars: pip install pyarrow" in capsys.readouterr().err
    assert not (tmp_path / "x.parquet").exists()


@pytest.mark.parametrize("library", WRITERS)
def test_parquet_has_the_records(library: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(library)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == library or None)
    path = tmp_path / "x.parquet"
    assert main(["export", str(run), "-o", str(path)]) == 0
    module: Any = importlib.import_module("pyarrow.parquet" if library == "pyarrow" else library)
    frame = module.read_table(path).to_pydict() if library == "pyarrow" else module.read_parquet(path)
    history = polar_monitor.read(run)
    assert list(frame["step"]) == history.columns["step"].tolist()
    assert list(frame["nats"]) == history.columns["nats"].tolist()
    assert list(frame["label"]) == history.columns["label"].tolist()


def test_check_of_a_run_is_its_newest_state(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(run)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("step 700: polarised. 2 of 5 dimensions are in use and carry 2.9 nats")
    assert [line.split()[:3] for line in lines[-5:]] == [
        ["0", "active", "0.500"], ["1", "active", "2.400"], ["2", "passive", "0.002"],
        ["3", "passive", "0.001"], ["4", "undecided", "0.100"],
    ]  # fmt: skip
    assert lines[-5].endswith("fading")
    assert main(["check", str(run / "polar.jsonl"), "--json", "--fail-on", "fading", "--fail-on", "lost"]) == 1
    out, err = capsys.readouterr()
    checked = json.loads(out, parse_constant=pytest.fail)
    assert checked["failed"] == ["fading"]
    assert checked["latents"][0]["fading"] == [0]
    assert err == "polar-monitor check: fading: polarised\n"


def test_check_folds_the_passive_dimensions_of_a_wide_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    information = (0.5, 2.4, *(0.002,) * 126)
    labels = (ACTIVE, ACTIVE, *(PASSIVE,) * 126)
    write_log(tmp_path, [make_evaluation(100, labels, information=information, bins=8)])
    assert main(["check", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[-4:-2]] == [["0", "active"], ["1", "active"]]
    assert lines[-1] == "  126 more: passive, 0.002 nats or less; --all lists them"
    assert main(["check", str(tmp_path), "--all"]) == 0
    assert "  127  passive" in capsys.readouterr().out


@pytest.mark.parametrize(("condition", "code"), [("collapse", 0), ("passive", 1), ("undecided", 1), ("mixed", 0)])
def test_conditions_hold_for_runs_too(condition: str, code: int, run: Path) -> None:
    assert main(["check", str(run), "--fail-on", condition]) == code


def test_a_run_that_cannot_be_judged_does_not_pass_a_gate(tmp_path: Path) -> None:
    write_log(tmp_path, never_finite())
    assert main(["check", str(tmp_path)]) == 0
    assert main(["check", str(tmp_path), "--fail-on", "collapse"]) == 2


def arrays() -> bytes:
    file = io.BytesIO()
    draw = np.random.default_rng(0).normal(size=(2000, 2))
    np.savez(file, mean=draw, var=np.full((2000, 2), 0.1))
    return file.getvalue()


def test_check_reads_standard_input(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    for content, key in (((run / "polar.jsonl").read_bytes(), "run"), (arrays(), "file")):
        monkeypatch.setattr(sys, "stdin", Piped(content))
        assert main(["check", "-", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)[key] == "standard input"
    for stdin, message in (
        (Piped(b""), "got nothing"),
        (Piped(b"hello"), "standard input: expected an .npz or .npy file, got neither"),
        (Piped(b"{}\n"), "standard input: this is not a log of Polar Monitor"),
        (Piped(b"", terminal=True), "expected a file, got a terminal"),
    ):
        monkeypatch.setattr(sys, "stdin", stdin)
        assert main(["check", "-"]) == 2
        err = capsys.readouterr().err
        assert message in err
        assert err.count("\n") == 1


def test_options_of_the_other_kind_are_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(run), "--no-spread"]) == 2
    assert "--no-spread: expected a file of arrays" in capsys.readouterr().err
    (tmp_path / "a.npz").write_bytes(arrays())
    assert main(["check", str(tmp_path / "a.npz"), "--fail-on", "lost"]) == 2
    assert "--fail-on lost: expected a run" in capsys.readouterr().err


def test_names_of_a_foreign_log_act_on_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b[2J\nname"
    alert = replace(fading_alert(500, [0]), message=evil, causes=(evil,), advice=(evil,))
    write_log(tmp_path, [replace(one, name=evil) for one in falling_run({500: (alert,)})])
    for words in (["tail", "--once"], ["compare"], ["check"], ["export"], ["export", "--json"], ["check", "--json"]):
        assert main([words[0], str(tmp_path), *words[1:]]) == 0
        out, err = capsys.readouterr()
        assert "\x1b" not in out + err
        assert "\nname" not in out + err


def test_a_report_on_standard_output(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    for kind, begin in (("html", b"<!doctype html>"), ("md", b"**run**")):
        stdout = io.TextIOWrapper(io.BytesIO())
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["report", str(run), "--format", kind, "-o", "-"]) == 0
        assert stdout.buffer.getvalue().startswith(begin)  # type: ignore[attr-defined]
        assert main(["report", str(run), "--format", kind, "-o", "-", "--json"]) == 2
    assert sorted(tmp_path.iterdir()) == before


def test_the_report_as_json(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run), "-o", str(tmp_path / "x.html"), "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written["file"] == str(tmp_path / "x.html")
    assert written["bytes"] == (tmp_path / "x.html").stat().st_size
    assert written["runs"] == [{"title": "run", "path": str(run / "polar.jsonl"), "problem": ""}]
