"""`polar-monitor doctor` and `completion`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from polar_monitor import __version__
from polar_monitor.cli import doctor, main
from polar_monitor.statistics import precompile


def test_it_has_what_a_bug_report_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["doctor"]) == 0
    out, err = capsys.readouterr()
    assert __version__ in out
    for word in ("torch", "numba", "NUMBA_CACHE_DIR", "ok  compile test", "the result is right", "kernel cache"):
        assert word in out
    assert f"{tmp_path / 'runs'} is writable" in out
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_what_fails_is_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tests = {
        "wrong": precompile.CompilerTest(1.0, False, 20, 20, "/folder"),
        "no place": precompile.CompilerTest(1.0, True, 20, 0, None),
    }
    for test, failed in zip(tests.values(), ("compile test", "kernel cache"), strict=True):
        monkeypatch.setattr(precompile, "compiler_test", lambda test=test: test)
        assert main(["doctor", "--json"]) == 1
        checks = json.loads(capsys.readouterr().out)["checks"]
        assert [one["name"] for one in checks if not one["ok"]] == [failed]

    def broken() -> None:
        raise OSError("no LLVM")

    monkeypatch.setattr(precompile, "compiler_test", broken)
    assert main(["doctor", "--json"]) == 1
    assert "OSError: no LLVM" in capsys.readouterr().out


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not doctor._writable("x", tmp_path / "file" / "runs")["ok"]
    assert doctor._writable("x", tmp_path / "no" / "runs")["ok"]


def test_the_compiler_test_compiles_anew_and_no_other_kernel() -> None:
    test = precompile.compiler_test()
    assert test.correct
    assert test.seconds > 0
    assert 0 <= test.cached <= test.kernels


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "polar-monitor" in capsys.readouterr().out


def test_without_argcomplete_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "argcomplete", None)
    monkeypatch.setitem(sys.modules, "argcomplete.shell_integration", None)
    assert main(["completion", "bash"]) == 2
    assert "pip install argcomplete" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("polar-monitor re", {"report", "replay"}),
        ("polar-monitor report --f", {"--format"}),
        ("polar-monitor check x --fail-on co", {"collapse"}),
        ("polar-monitor completion ", {"bash", "zsh", "fish"}),
    ],
)
def test_a_shell_gets_the_words_that_may_come_next(line: str, expected: set[str], tmp_path: Path) -> None:
    asked = {
        "_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "words"), "_ARGCOMPLETE_SHELL": "bash",
    }  # fmt: skip
    command = [sys.executable, "-m", "polar_monitor"]
    subprocess.run(command, env=os.environ | asked, cwd=tmp_path, timeout=120, check=True)
    words = {word.strip() for word in (tmp_path / "words").read_text().split("\n")}
    assert expected <= words
    assert not {"demo", "compare"} & words
