"""The report is one file, small, closed to the network, and it says what is wrong with a run."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pages.logs import fading_alert, falling_run, never_finite, write_log
from records import make_run

from polar_monitor.cli import main
from polar_monitor.errors import PolarMonitorError
from polar_monitor.web import report


def data_of(path: Path) -> list[dict[str, object]]:
    text = path.read_text(encoding="utf-8")
    (data,) = re.findall(r'id="polar-monitor-data">(.*?)</script>', text, re.S)
    return json.loads(data)


def test_a_report_has_all_runs_and_loads_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_log(tmp_path / "runs" / "a", falling_run({500: (fading_alert(500, [0]),)}))
    write_log(tmp_path / "runs" / "b", make_run(5, 3, bins=8))
    write_log(tmp_path / "c", never_finite())
    output = tmp_path / "out.html"
    assert main(["report", str(tmp_path / "runs"), str(tmp_path / "c"), "-o", str(output)]) == 0
    assert capsys.readouterr().out.strip() == str(output)
    assert [run["title"] for run in data_of(output)] == ["a", "b", "c"]
    text = output.read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert not re.search(r"<(script|link|img)[^>]*(src|href)=", text)


def test_words_of_a_run_stay_words(tmp_path: Path) -> None:
    hostile = "</script><script>alert(1)</script>"
    alert = replace(fading_alert(500, [0]), message=hostile, causes=(hostile,))
    write_log(tmp_path / "<b>x", falling_run({500: (alert,)}))
    report.write_report([tmp_path], tmp_path / "out.html")
    text = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "<b>x" not in text
    assert data_of(tmp_path / "out.html")[0]["alerts"][0]["message"] == hostile


def test_runs_without_numbers_come_last_and_say_why(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "polar.jsonl").touch()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "polar.jsonl").write_text("hello\n")
    write_log(tmp_path / "c", falling_run())
    runs = report.runs_of([tmp_path])
    assert [run["title"] for run in runs] == ["c", "a", "b"]
    assert "the log is empty" in runs[1]["problem"]
    assert "not a log of Polar Monitor" in runs[2]["problem"]


def test_the_same_run_twice_is_one(tmp_path: Path) -> None:
    path = write_log(tmp_path, falling_run())
    assert len(report.runs_of([tmp_path, path])) == 1


def test_arguments_that_cannot_be_used_are_one_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 2
    assert "expected a folder with polar.jsonl, found none" in capsys.readouterr().err
    write_log(tmp_path, falling_run())
    assert main(["report", str(tmp_path), "-o", str(tmp_path / "no" / "x.html")]) == 2
    assert "pass a file in another folder" in capsys.readouterr().err


def test_a_report_is_at_most_ten_megabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_log(tmp_path, falling_run())
    monkeypatch.setattr(report, "MAX_BYTES", 100)
    with pytest.raises(PolarMonitorError, match="pass fewer runs"):
        report.write_report([tmp_path], tmp_path / "x.html")


def test_markdown_has_the_sentence_and_a_table(tmp_path: Path) -> None:
    write_log(tmp_path / "a_b", falling_run({500: (fading_alert(500, [0]),)}))
    output = tmp_path / "out.md"
    assert main(["report", str(tmp_path), "-o", str(output)]) == 0
    text = output.read_text(encoding="utf-8")
    assert text.startswith("**a\\_b**: 2 of 5 dimensions are in use and carry 2.9 nats")
    assert "| 0 | fading | 0.50 | 100 | going now (80 %: 700 to 900) |" in text
    assert "> FADING at step 500: " in text
    write_log(tmp_path / "c", make_run(5, 3, bins=8))
    assert main(["report", str(tmp_path), "--format", "md", "-o", str(output)]) == 0
    assert "| a\\_b | – | polarised | 2 of 5 | 3.00 | 700 | 1 |" in output.read_text(encoding="utf-8")


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_pictures_of_one_run_and_of_several(tmp_path: Path, kind: str, start: bytes) -> None:
    pytest.importorskip("matplotlib")
    write_log(tmp_path / "a", falling_run())
    output = tmp_path / f"out.{kind}"
    assert main(["report", str(tmp_path), "-o", str(output)]) == 0
    assert output.read_bytes().startswith(start)
    write_log(tmp_path / "b", make_run(5, 3, bins=8))
    assert main(["report", str(tmp_path), "-o", str(output)]) == 0
    (tmp_path / "empty.jsonl").touch()
    assert main(["report", str(tmp_path / "empty.jsonl"), "-o", str(output)]) == 2


def test_a_picture_without_matplotlib_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    write_log(tmp_path, falling_run())
    assert main(["report", str(tmp_path), "--format", "svg", "-o", str(tmp_path / "x")]) == 2
    assert "pip install matplotlib" in capsys.readouterr().err
