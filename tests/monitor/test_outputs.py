"""Where results go: the folder is checked at once, is not shared, and only rank 0 writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from models import Vae
from watching import Memory, watched

import polar_monitor
from polar_monitor import PolarMonitor, PolarMonitorError


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere; the file in the way below covers it")
def test_an_unwritable_folder_is_said_at_once(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PolarMonitorError, match="cannot write"):
        polar_monitor.attach(Vae(), log_dir=tmp_path / "runs")


def test_a_file_in_the_way_of_the_folder_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("not a folder")
    with pytest.raises(PolarMonitorError, match="cannot write"):
        polar_monitor.attach(Vae(), log_dir=tmp_path / "runs")


def test_the_default_folder_is_the_summary_writers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monitor = polar_monitor.attach(Vae())
    assert monitor.log_dir is not None
    assert monitor.log_dir.parent == Path("runs")
    assert (monitor.log_dir / "polar.jsonl").exists()
    monitor.detach()


def test_only_rank_0_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monitor = polar_monitor.attach(Vae(), log_dir=tmp_path / "runs")
    assert monitor.log_dir is None
    assert not (tmp_path / "runs").exists()


def test_two_monitors_of_one_name_do_not_share_a_folder(tmp_path: Path) -> None:
    model = Vae()
    first = watched(model, sinks=None, log_dir=tmp_path)
    with pytest.raises(PolarMonitorError, match="another monitor writes to"):
        watched(Vae(), sinks=None, log_dir=tmp_path)
    watched(Vae(), sinks=None, log_dir=tmp_path, name="second")
    first.detach()
    watched(Vae(), sinks=None, log_dir=tmp_path)


def test_default_folders_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len({watched(Vae(), sinks=None).log_dir for _ in range(3)}) == 3


def test_sinks_open_with_the_first_row_and_the_default_ones_only_with_a_folder(tmp_path: Path) -> None:
    for log_dir, files in ((None, False), (tmp_path, True)):
        sink = Memory()
        monitor = PolarMonitor(sinks=(sink,), log_dir=log_dir, every=1, max_overhead=1.0)
        assert not (tmp_path / "polar.jsonl").exists()
        monitor.observe(torch.randn(512, 2))
        assert (tmp_path / "polar.jsonl").exists() is files
        monitor.step()
        assert [record.step for record in sink.records] == [1]
        monitor.detach()
        assert sink.closed == 1


def test_console_adds_a_view_beside_the_other_sinks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monitor = PolarMonitor(every=1, log_dir=tmp_path, console=True)
    monitor.observe(torch.randn(600, 2), logvar=torch.zeros(600, 2))
    monitor.step()
    monitor.detach()
    assert capsys.readouterr().out.startswith("step      1  ")
    assert (tmp_path / "polar.jsonl").exists()
