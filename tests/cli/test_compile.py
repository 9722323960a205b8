"""`polar-monitor compile`."""

from __future__ import annotations

import json

import pytest

from polar_monitor.cli.main import main
from polar_monitor.statistics import precompile


def test_it_says_what_was_compiled_and_where(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(precompile, "compile_all", lambda: precompile.Compilation(20, 3, 4.56, "/some/folder"))
    assert main(["compile"]) == 0
    assert capsys.readouterr().out == "compiled 3 of 20 kernels in 4.6 s; they are in /some/folder\n"
    assert main(["compile", "--json"]) == 0
    expected = {"kernels": 20, "compiled": 3, "seconds": 4.56, "folder": "/some/folder"}
    assert json.loads(capsys.readouterr().out) == expected


def test_without_a_writable_place_it_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(precompile, "compile_all", lambda: precompile.Compilation(20, 20, 9.0, None))
    assert main(["compile"]) == 2
    assert "NUMBA_CACHE_DIR" in capsys.readouterr().err
