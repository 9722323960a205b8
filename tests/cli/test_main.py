"""The command line, and the demo for a few steps."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from polar_monitor import __version__
from polar_monitor.cli import main
from polar_monitor.cli.main import COMMANDS
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
    assert main(["demo", "--headless", "--steps", "1", "--log-dir", str(tmp_path / "file" / "run")]) == 2
    err = capsys.readouterr().err
    assert err.startswith("polar-monitor demo: ")
    assert err.count("\n") == 1


def test_version_and_unknown_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["--version"])
    assert done.value.code == 0
    assert __version__ in capsys.readouterr().out
    with pytest.raises(SystemExit) as wrong:
        main(["demonstrate"])
    assert wrong.value.code == 2


def test_help_and_completion_load_no_library() -> None:
    code = (
        "import sys\nfrom polar_monitor.cli.main import COMMANDS, main, parser\n"
        "for words in [['--help'], *([name, '--help'] for name in COMMANDS)]:\n"
        "    try: main(words)\n    except SystemExit as done: assert done.code == 0\n"
        "parser(list(COMMANDS))\n"
        "print('LOADED', *sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    shown, _, loaded = done.stdout.rpartition("LOADED")
    assert not {"torch", "numpy", "numba", "rich", "tensorboard", "matplotlib"} & set(loaded.split())
    assert all(f"usage: polar-monitor {name}" in shown for name in COMMANDS)
    assert shown.count("exit codes: 0") == len(COMMANDS) + 1


def test_the_docs_have_every_command() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"`polar-monitor {name}" not in page] == []


def test_the_demo_as_json_has_its_words_on_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--json", "--steps", "40", "--log-dir", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    ended = json.loads(out)
    assert (ended["folder"], ended["interrupted"]) == (str(tmp_path), False)
    assert ended["latents"][0]["step"] == 40
    assert len(ended["latents"][0]["labels"]) == 10
    assert "step " in err


def test_more_steps_than_the_demo_has_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from polar_monitor.demo import run as demo

    monkeypatch.setitem(demo.PLANS, "sprites", demo.Plan(1.0, 2.0, 20, 20))
    assert main(["demo", "--headless", "--steps", "5000", "--log-dir", str(tmp_path)]) == 0
    assert "the demo of sprites has 40 steps, and ends there" in capsys.readouterr().err


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
