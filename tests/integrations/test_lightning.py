"""The callback of Lightning: loggers, sanity check, checkpoints, stopping, both packages, exceptions."""

from __future__ import annotations

import copy
import importlib
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks import BATCH, OPTIONS, QUIET, STEPS, OwnNoise, data, is_installed, lit_module, loader

from polar_monitor import PolarMonitorError
from polar_monitor.integrations.lightning import PolarCallback
from polar_monitor.sinks.jsonl import read_jsonl

pytestmark = [
    pytest.mark.integrations,
    pytest.mark.skipif(not is_installed("lightning"), reason="lightning is not installed"),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::polar_monitor.PolarMonitorWarning"),
]


@pytest.fixture
def pl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    return importlib.import_module("lightning.pytorch")


def fit(pl: Any, callback: Any, *more: Any, model: Any = None, ckpt: Any = None, **settings: Any) -> Any:
    callbacks = [callback, *more]
    trainer = pl.Trainer(**{**QUIET, "logger": False, "callbacks": callbacks, **settings})
    trainer.fit(lit_module(pl, model or OwnNoise()), loader(), loader(data()[:BATCH]), ckpt_path=ckpt)
    return trainer


class Records:
    """A logger of the user's, as far as our sink uses it."""

    def __init__(self, pl: Any) -> None:
        records: dict[int, dict[str, float]] = {}

        class Logger(pl.loggers.logger.Logger):  # type: ignore[misc]
            name, version = "records", 0

            def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
                records.setdefault(step or 0, {}).update(metrics)
                metrics.clear()

            def log_hyperparams(self, *_: Any, **__: Any) -> None: ...

        self.records, self.loggers = records, [Logger(), Logger()]


def test_loggers_get_the_scalars_of_each_evaluation(pl: Any, tmp_path: Path) -> None:
    kept = Records(pl)
    callback = PolarCallback(**OPTIONS)
    fit(pl, callback, logger=kept.loggers)
    ours = {step: numbers for step, numbers in kept.records.items() if "polar/active" in numbers}
    folder = callback.monitor.log_dir
    assert folder.parent.name == "runs"
    records = read_jsonl(folder / "polar.jsonl")
    assert list(ours) == [e.step for e in records] == [12, 24, 36, 48]
    assert ours[48]["polar/active"] == sum(label == "active" for label in records[-1].regime.labels)
    assert "polar_dims/information/003" in ours[48]


def test_the_board_of_lightning_is_ours(pl: Any, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board, table = pl.loggers.TensorBoardLogger(tmp_path), pl.loggers.CSVLogger(tmp_path / "csv")
    callback = PolarCallback(**OPTIONS)
    fit(pl, callback, logger=[board, table])
    assert str(callback.monitor.log_dir) == board.log_dir
    events = EventAccumulator(board.log_dir, size_guidance={"scalars": 0}).Reload()
    assert [event.step for event in events.Scalars("polar/active")] == [12, 24, 36, 48]
    rows = (Path(table.log_dir) / "metrics.csv").read_text().splitlines()
    assert "polar/active" in rows[0].split(",")
    assert [row.split(",")[rows[0].split(",").index("step")] for row in rows[1:]] == ["12", "24", "36", "48"]


def test_sinks_of_the_user_are_all_there_is(pl: Any, tmp_path: Path) -> None:
    callback = PolarCallback(**OPTIONS, sinks=())
    fit(pl, callback)
    assert callback.monitor.log_dir is None
    assert not list(tmp_path.iterdir())


def test_the_sanity_check_is_not_recorded(pl: Any, tmp_path: Path) -> None:
    callback = PolarCallback(**OPTIONS, modes=("train", "eval"), log_dir=tmp_path / "run")
    seen = []

    class Look(pl.Callback):  # type: ignore[misc]
        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            seen.append(callback.monitor.health().calls)

    fit(pl, callback, Look(), num_sanity_val_steps=2)
    assert seen == [0]
    modes = [(e.step, e.mode) for e in read_jsonl(tmp_path / "run" / "polar.jsonl")]
    assert modes == [(12, "train"), (24, "train"), (36, "train"), (48, "train"), (48, "eval")]
    assert callback.monitor.health().calls == STEPS + 1


def test_a_checkpoint_goes_on_where_it_was(pl: Any, tmp_path: Path) -> None:
    class HalfWay(pl.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            if trainer.global_step == 30:
                trainer.save_checkpoint(tmp_path / "half.ckpt")

    straight = PolarCallback(**OPTIONS, log_dir=tmp_path / "straight")
    fit(pl, straight, HalfWay())
    resumed = PolarCallback(**OPTIONS, log_dir=tmp_path / "resumed")
    fit(pl, resumed, ckpt=tmp_path / "half.ckpt")
    assert resumed.monitor.health().steps == STEPS
    first, second = (read_jsonl(tmp_path / name / "polar.jsonl") for name in ("straight", "resumed"))
    assert [e.step for e in second] == [36, 48]
    assert [e.snapshot.rows for e in second] == [e.snapshot.rows for e in first[2:]]
    with pytest.raises(PolarMonitorError, match="expected window 1024, got 4096"):
        fit(pl, PolarCallback(**OPTIONS, window=1024, sinks=()), ckpt=tmp_path / "half.ckpt")


def test_the_trainer_stops_when_it_should(pl: Any) -> None:
    class Breaks(pl.Callback):  # type: ignore[misc]
        def on_train_batch_start(self, trainer: Any, pl_module: Any, *_: Any) -> None:
            if trainer.global_step == 13:
                pl_module.net.fc_mu.bias.data.fill_(torch.nan)

    callback = PolarCallback(**OPTIONS, sinks=())
    trainer = fit(pl, callback, Breaks())
    assert trainer.global_step == 24
    assert callback.monitor.should_stop


@pytest.mark.parametrize("error", [RuntimeError("the batch is broken"), KeyboardInterrupt()])
def test_after_an_exception_the_hooks_are_gone(pl: Any, error: BaseException) -> None:
    class Breaks(pl.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            if trainer.global_step == 20:
                raise error

    model, callback = OwnNoise(), PolarCallback(**OPTIONS, sinks=())
    with pytest.raises((RuntimeError, SystemExit, KeyboardInterrupt)):
        fit(pl, callback, Breaks(), model=model)
    assert not callback.monitor.attached
    assert callback.monitor.snapshot().step == 20
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_two_callbacks_have_a_state_each(pl: Any, tmp_path: Path) -> None:
    both = [PolarCallback(**OPTIONS, sinks=(), name=name) for name in ("one", "two")]
    trainer = fit(pl, *both)
    trainer.save_checkpoint(tmp_path / "both.ckpt")
    states = torch.load(tmp_path / "both.ckpt", weights_only=True)["callbacks"]
    assert {"polar_monitor.one", "polar_monitor.two"} <= states.keys()
    assert both[0].monitor is not both[1].monitor


def test_a_callback_is_copied_and_pickled_with_its_arguments() -> None:
    callback = PolarCallback(every=7)
    for other in (copy.deepcopy(callback), pickle.loads(pickle.dumps(callback))):
        assert other.arguments == {"every": 7}
        assert type(other) is type(callback)
        assert other.monitor is None


def test_wrong_arguments_fail_at_once() -> None:
    with pytest.raises(PolarMonitorError, match="every: expected"):
        PolarCallback(every=0)
    with pytest.raises(TypeError, match="did you mean window=") as error:
        PolarCallback(windw=512)
    assert "PolarCallback" in str(error.value)


def test_a_logger_without_log_metrics_is_one_error(pl: Any) -> None:
    class Trainer(pl.Trainer):  # type: ignore[misc]
        loggers = (object(),)

    callback = PolarCallback(**OPTIONS)
    with pytest.raises(PolarMonitorError, match=r"expected an object with a method log_metrics\(…\), got object"):
        callback.on_fit_start(Trainer.__new__(Trainer), lit_module(pl, OwnNoise()))
    assert callback.monitor is None


def test_a_trainer_of_the_other_package_is_one_error() -> None:
    code = """
import lightning.pytorch
from polar_monitor.integrations.lightning import PolarCallback
callback = PolarCallback()
import pytorch_lightning
try:
    callback.setup(pytorch_lightning.Trainer(logger=False), None, "fit")
except ValueError as error:
    print(error)
PolarCallback().setup(pytorch_lightning.Trainer(logger=False), None, "fit")
"""
    if not is_installed("pytorch_lightning"):
        pytest.skip("pytorch_lightning is not installed")
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    expected = "expected a Trainer of lightning, got one of pytorch_lightning: make the callback after `import pytorch"
    assert expected in done.stdout
