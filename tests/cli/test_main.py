"""The command line, and the demo for a few steps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from polar_monitor import __version__
from polar_monitor.cli import main
from polar_monitor.sinks.jsonl import read_jsonl


@pytest.mark.parametrize("name", ["sprites", "digits"])
def test_the_demo_trains_and_says_where_its_run_is(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    assert main(["demo", "--headless", "--data", name, "--steps", "60", "--log-dir", str(folder)]) == 0
    out = capsys.readouterr().out
    assert out.count("step ") >= 1  # how many, the speed of the machine decides
    assert f"tensorboard --logdir {folder}" in out
    assert read_jsonl(folder / "polar.jsonl")
    assert list(folder.glob("events.out.tfevents.*"))


def test_a_folder_that_cannot_be_written_is_said_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["demo", "--headless", "--steps", "1", "--log-dir", str(tmp_path / "file" / "run")]) == 1
    assert capsys.readouterr().err.startswith("polar-monitor: ")


def test_version_and_unknown_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["--version"])
    assert done.value.code == 0
    assert __version__ in capsys.readouterr().out
    with pytest.raises(SystemExit) as wrong:
        main(["demonstrate"])
    assert wrong.value.code == 2


@pytest.mark.slow
def test_an_interrupted_demo_leaves_a_readable_run(tmp_path: Path) -> None:
    log = tmp_path / "polar.jsonl"
    command = [sys.executable, "-m", "polar_monitor", "demo", "--headless", "--log-dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
        assert demo.stdout is not None
        evaluations = (line for line in demo.stdout if line.startswith("step "))
        for _ in range(4):  # three evaluations are in the log when the fourth is printed
            next(evaluations)
        demo.send_signal(signal.SIGINT)
        out, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130, out
    assert "interrupted" in out
    assert "tensorboard --logdir" in out
    assert "Traceback" not in out
    assert len(read_jsonl(log, strict=True)) >= 3


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert main(["demo", "--headless", "--steps", "60", "--log-dir", str(folder)]) == 0
    np.savez(folder / "latents.npz", mean=np.random.default_rng(0).normal(size=(600, 2)), var=np.full((600, 2), 0.1))
    return folder


@pytest.mark.parametrize("buffered", ["", pytest.param("1", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "words",
    [
        ["check", "latents.npz"],
        pytest.param(["check", "latents.npz", "--json", "--fail-on", "collapse"], marks=pytest.mark.slow),
        ["check", "--help"],
        pytest.param(["replay", "."], marks=pytest.mark.slow),
        pytest.param(["replay", ".", "--json"], marks=pytest.mark.slow),
        pytest.param(["demo", "--headless", "--steps", "40", "--log-dir", "again"], marks=pytest.mark.slow),
        ["--version"],
    ],
    ids=" ".join,
)
def test_a_reader_that_has_gone_ends_a_command_quietly(words: list[str], buffered: str, run_folder: Path) -> None:
    command = [sys.executable, "-m", "polar_monitor", *words]
    environment = os.environ | {"PYTHONUNBUFFERED": buffered}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=run_folder, env=environment
    ) as done:
        assert done.stdout is not None
        assert done.stderr is not None
        done.stdout.close()
        said = done.stderr.read().decode()
    argparse_hides_it = buffered and words[-1] in ("--help", "--version")  # from Python 3.11 on
    assert said == ""
    assert done.returncode in ((0, 141) if argparse_hides_it else (141,))


@pytest.mark.slow
def test_an_interrupted_pipe_keeps_what_was_measured(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "polar_monitor", "demo", "--headless", "--log-dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        assert demo.stderr is not None
        demo.stdout.readline()
        demo.stdout.close()
        said = demo.stderr.read()
    assert (said, demo.returncode) == ("", 141)
    read_jsonl(tmp_path / "polar.jsonl", strict=True)
