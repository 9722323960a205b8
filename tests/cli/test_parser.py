"""Errors of the command line: one line, exit code 2, and the nearest word that exists."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages.logs import falling_run, write_log

from polar_monitor.cli import main


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["demo", "--steps", "-5"], "demo: argument --steps: expected an integer, 1 or more, got '-5'"),
        (["demo", "--steps", "0"], "expected an integer, 1 or more, got '0'"),
        (["demo", "--steps", "many"], "expected an integer, 1 or more, got 'many'"),
        (["demo", "--seed", "-1"], "argument --seed: expected an integer, 0 or more"),
        (["demo", "--data", "digit"], "expected one of sprites, digits, got 'digit' (did you mean digits?)"),
        (["chek", "x"], "no command 'chek' (did you mean check?)"),
        (["xyzzy"], "no command 'xyzzy'; see"),
        ([], "the following arguments are required: COMMAND"),
        (["report", "x", "--formt", "md"], "report: no option --formt (did you mean --format?)"),
        (["report", "x", "--formt=md"], "no option --formt (did you mean --format?)"),
        (["replay", "x", "y"], "replay: expected no further argument, got 'y'"),
        (["check", "x", "--fail-on", "colapse"], "got 'colapse' (did you mean collapse?)"),
        (["completion", "bahs"], "got 'bahs' (did you mean bash?)"),
        (["export", "x", "--csv", "--parquet"], "not allowed with argument"),
        (["tail", "x", "-n", "-1"], "argument -n/--lines: expected an integer, 0 or more"),
    ],
)
def test_a_wrong_argument_is_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(words)
    out, err = capsys.readouterr()
    assert done.value.code == 2
    assert message in err
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("polar-monitor")
    assert err.endswith("--help\n")


@pytest.mark.parametrize("command", ["report", "tail", "compare", "check", "replay", "export"])
@pytest.mark.parametrize("content", [None, b"", b"hello\n", b'{"a": 1}\n'], ids=["missing", "empty", "foreign", "json"])
def test_a_run_that_cannot_be_used_is_one_line(
    command: str, content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "run"
    folder.mkdir()
    if content is not None:
        (folder / "polar.jsonl").write_bytes(content)
    options = ["--once"] if command == "tail" else []
    for words in (["run"], ["run/polar.jsonl"]):
        assert main([command, *words, *options]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert err.startswith(f"polar-monitor {command}: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_a_mistyped_run_names_the_one_that_exists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_log(tmp_path / "baseline", falling_run())
    assert main(["compare", str(tmp_path / "baselin")]) == 2
    assert f"no such file or folder (did you mean '{tmp_path / 'baseline'}'?)" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["report", "export"])
def test_no_output_takes_the_place_of_a_log(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = write_log(tmp_path, falling_run())
    before = log.read_bytes()
    assert main([command, str(tmp_path), "-o", str(log)]) == 2
    assert "is the log of a run: pass another file" in capsys.readouterr().err
    assert log.read_bytes() == before
