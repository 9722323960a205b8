"""What a message about arrays and logs tells to write works: each one is raised, and then what it says is done."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from messages.suggesting import Suggestion, follow
from models import Vae, train
from records import make_evaluation
from torch import nn

import polar_monitor
from polar_monitor import attach, classify, downstream
from polar_monitor.healthy import KeepHealthy
from polar_monitor.offline import Partial
from polar_monitor.replay import replay
from polar_monitor.sinks.jsonl import JsonlSink

ROWS = np.random.default_rng(0).normal(size=(600, 3)).astype(np.float32)
SMALL = np.full_like(ROWS, 0.5)
PRIOR = (np.zeros(3, np.float32), np.ones(3, np.float32))
CODES, CONDITION = torch.from_numpy(ROWS), torch.ones(600, 1)
X = torch.randn(600, 12, generator=torch.Generator().manual_seed(0))
MODEL = nn.Linear(3, 5)
TARGETS = (ROWS[:, 0] > 0).astype(int)
RARE = np.where(np.arange(600) < 3, 2, TARGETS)
WITH_NAN = np.where(np.arange(3) == 1, np.nan, ROWS)


def conditional(z: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
    return MODEL(z) * condition


def halves(**numbers: int) -> None:
    first, second = Partial().update(ROWS[:300]), Partial().update(ROWS[300:], **numbers)
    first.merge(second).result()


def compare(latents: Any, targets: Any, **options: Any) -> None:
    pytest.importorskip("sklearn")
    downstream.compare(latents, targets, probes=("linear",), repeats=1, **options)


def folder_of_runs(count: int) -> Path:
    folder = Path(tempfile.mkdtemp())
    for run in range(count):
        model = Vae()
        monitor = attach(model, log_dir=folder / str(run), every=5, max_overhead=1.0)
        train(model, 10)
        monitor.detach()
    return folder


def on_a_file(name: str) -> Path:
    """A path in a folder, which is a file if the name says so."""
    folder = Path(tempfile.mkdtemp())
    (folder / "file").write_text("something else")
    return folder / name


def broken_log(line: str) -> Path:
    log = next(folder_of_runs(1).rglob("*.jsonl"))
    log.write_text(line + log.read_text())
    return log


SUGGESTIONS = {
    "a log-variance that is none": Suggestion(
        "is it a variance? Then pass var=", lambda: classify(ROWS, logvar=SMALL), lambda: classify(ROWS, var=SMALL)
    ),
    "True for an array": Suggestion(
        "pass an array beside an array", lambda: classify(ROWS, var=True), lambda: classify(ROWS, var=SMALL)
    ),
    "a prior of all rows": Suggestion(
        "write Partial(prior=…)",
        lambda: Partial().update(ROWS, var=SMALL, prior=PRIOR),
        lambda: Partial(prior=PRIOR).update(ROWS, var=SMALL).result(),
    ),
    "no row yet": Suggestion(
        "call update(…) first", lambda: Partial().result(), lambda: Partial().update(ROWS, var=SMALL).result()
    ),
    "the same numbers twice": Suggestion(
        "its number among all rows, update(…, first=…)", lambda: halves(), lambda: halves(first=300)
    ),
    "two scales": Suggestion(
        "leave out one of the two",
        lambda: classify(ROWS, decoder=MODEL, resolution=0.1),
        lambda: (classify(ROWS, decoder=MODEL), classify(ROWS, resolution=0.1)),
    ),
    "a decoder of two arguments": Suggestion(
        "as in decoder=lambda z: model.decoder(z, condition[: len(z)])",
        lambda: classify(ROWS, decoder=conditional),
        lambda: classify(ROWS, decoder=lambda z: conditional(z, CONDITION[: len(z)])),
    ),
    "a decoder by its name": Suggestion(
        "pass the module itself, as in decoder=model.decoder",
        lambda: classify(ROWS, decoder="decoder"),
        lambda: classify(ROWS, decoder=MODEL),
    ),
    "a decoder of a dictionary": Suggestion(
        "choose the reconstruction, as in decoder=lambda z: model.decoder(z).sample",
        lambda: classify(ROWS, decoder=lambda z: SimpleOutput(MODEL(z))),
        lambda: classify(ROWS, decoder=lambda z: SimpleOutput(MODEL(z)).sample),
    ),
    "a decoder of tokens": Suggestion(
        "pass a callable that gives logits",
        lambda: classify(ROWS, decoder=lambda z: MODEL(z).argmax(1, keepdim=True)),
        lambda: classify(ROWS, decoder=MODEL),
    ),
    "a folder of two runs": Suggestion(
        "found 2",
        lambda: polar_monitor.read(folder_of_runs(2)),
        lambda: polar_monitor.read(folder_of_runs(1)),
    ),
    "no log in a folder": Suggestion(
        "pass the log_dir of polar_monitor.attach(model, log_dir=…), or the file",
        lambda: polar_monitor.read(tempfile.mkdtemp()),
        lambda: polar_monitor.read(next(folder_of_runs(1).rglob("polar.jsonl"))),
    ),
    "no such folder": Suggestion(
        "pass the log_dir of a run, or its polar.jsonl",
        lambda: polar_monitor.read("nowhere"),
        lambda: polar_monitor.read(folder_of_runs(1) / "0"),
    ),
    "two logs for a replay": Suggestion(
        "pass the file itself",
        lambda: replay(folder_of_runs(2)),
        lambda: replay(sorted(folder_of_runs(2).rglob("*.jsonl"))[0]),
    ),
    "a log with another line": Suggestion(
        "remove the line", lambda: replay(broken_log('{"version": 1}\n')), lambda: replay(broken_log(""))
    ),
    "another file": Suggestion(
        "holds something else than a log of evaluations; pass another path",
        lambda: JsonlSink(on_a_file("file")),
        lambda: JsonlSink(on_a_file("polar.jsonl")),
    ),
    "a path below a file": Suggestion(
        "pass a path in a folder that can be written to",
        lambda: JsonlSink(on_a_file("file/polar.jsonl")),
        lambda: JsonlSink(on_a_file("other/polar.jsonl")),
    ),
    "a log_dir below a file": Suggestion(
        "pass a folder that can be written to as log_dir=…, or sinks=() to write nothing",
        lambda: attach(Vae(), log_dir=on_a_file("file/run")),
        lambda: (attach(Vae(), log_dir=on_a_file("run")), attach(Vae(), sinks=())),
    ),
    "a remote folder": Suggestion(
        "log to a local one",
        lambda: attach(Vae(), log_dir="s3://bucket/run"),
        lambda: attach(Vae(), log_dir=on_a_file("run")),
    ),
    "a closed log": Suggestion(
        "make a new one with the same path to go on", lambda: written(close=True), lambda: written(close=False)
    ),
    "labels of another latent": Suggestion(
        "pass the regime of this representation",
        lambda: compare(ROWS, TARGETS, regime=classify(ROWS[:, :2], var=SMALL[:, :2])),
        lambda: compare(ROWS, TARGETS, regime=classify(ROWS, var=SMALL)),
    ),
    "a dimension of NaN": Suggestion(
        "pass latents[:, kept] and [regime.labels[j] for j in kept]",
        lambda: compare(WITH_NAN, TARGETS, regime=classify(ROWS, var=SMALL)),
        lambda: compare(WITH_NAN[:, [0, 2]], TARGETS, regime=[classify(ROWS, var=SMALL).labels[j] for j in (0, 2)]),
    ),
    "rare classes": Suggestion(
        "take fewer folds, or pass task='regression'",
        lambda: compare(ROWS, RARE, regime=classify(ROWS, var=SMALL)),
        lambda: (
            compare(ROWS, RARE, regime=classify(ROWS, var=SMALL), folds=3),
            compare(ROWS, RARE, regime=classify(ROWS, var=SMALL), task="regression"),
        ),
    ),
    "a folder of healthy checkpoints that is a file": Suggestion(
        "cannot make or read",
        lambda: KeepHealthy(on_a_file("file/kept"), dict),
        lambda: KeepHealthy(on_a_file("kept"), dict),
    ),
}


def written(close: bool) -> None:
    sink = JsonlSink(path := on_a_file("polar.jsonl"))
    if close:
        sink.close()
    else:
        sink.close()
        sink = JsonlSink(path)
    sink.write(make_evaluation(100))
    sink.close()


class SimpleOutput(dict):  # type: ignore[type-arg]
    """An output with a field, as those of diffusers."""

    def __init__(self, sample: torch.Tensor) -> None:
        super().__init__(sample=sample)
        self.sample = sample


@pytest.mark.parametrize("suggestion", SUGGESTIONS.values(), ids=list(SUGGESTIONS))
def test_doing_what_a_message_says_ends_it(suggestion: Suggestion, caplog: pytest.LogCaptureFixture) -> None:
    follow(suggestion, caplog)
