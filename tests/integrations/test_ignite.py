"""The handler of Ignite: exceptions, stopping, and the state in a Checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks import OPTIONS, STEPS, OwnNoise, engine_of, is_installed, loader

from polar_monitor.sinks.jsonl import read_jsonl

pytestmark = [
    pytest.mark.integrations,
    pytest.mark.skipif(not is_installed("ignite"), reason="pytorch-ignite is not installed"),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::polar_monitor.PolarMonitorWarning"),
]


def make(model: Any, **options: Any) -> tuple[Any, Any]:
    """An engine, and the handler that is attached to it."""
    from polar_monitor.integrations.ignite import PolarHandler

    engine = engine_of(model)
    return engine, PolarHandler(model, **OPTIONS, **options).attach(engine)


def test_a_checkpoint_goes_on_where_it_was(tmp_path: Path) -> None:
    from ignite.engine import Events
    from ignite.handlers import Checkpoint, DiskSaver

    def to_save(engine: Any, model: Any, handler: Any) -> dict[str, Any]:
        return {"engine": engine, "model": model, "polar": handler}

    model = OwnNoise()
    engine, handler = make(model, log_dir=tmp_path / "first")
    saver = Checkpoint(to_save(engine, model, handler), DiskSaver(tmp_path / "saved"))
    engine.add_event_handler(Events.EPOCH_COMPLETED, saver)
    engine.run(loader(), max_epochs=1)
    assert handler.monitor.health().steps == STEPS

    other = OwnNoise()
    engine, handler = make(other, log_dir=tmp_path / "second")
    saved = torch.load(next((tmp_path / "saved").iterdir()), weights_only=True)
    Checkpoint.load_objects(to_save(engine, other, handler), saved)
    engine.run(loader(), max_epochs=2)
    assert handler.monitor.health().steps == 2 * STEPS
    assert [e.step for e in read_jsonl(tmp_path / "second" / "polar.jsonl")] == [60, 72, 84, 96]
    assert handler.monitor.snapshot().rows == 2 * STEPS * 64


def test_the_engine_stops_when_it_should() -> None:
    from ignite.engine import Events

    model = OwnNoise()
    engine, handler = make(model, sinks=())

    @engine.on(Events.ITERATION_COMPLETED(once=13))  # type: ignore[untyped-decorator]
    def _(engine: Any) -> None:
        model.fc_mu.bias.data.fill_(torch.nan)

    engine.run(loader(), max_epochs=1)
    assert engine.state.iteration == 24
    assert not handler.monitor.attached


@pytest.mark.parametrize("handled", [False, True])
def test_an_exception_is_as_it_was_without_the_handler(handled: bool) -> None:
    from ignite.engine import Events

    model = OwnNoise()
    engine, handler = make(model, sinks=())
    caught = []

    @engine.on(Events.ITERATION_COMPLETED(once=20))  # type: ignore[untyped-decorator]
    def _(engine: Any) -> None:
        raise RuntimeError("the batch is broken")

    if handled:
        engine.add_event_handler(Events.EXCEPTION_RAISED, lambda engine, error: caught.append(error))
        engine.run(loader(), max_epochs=1)
    else:
        with pytest.raises(RuntimeError, match="the batch is broken"):
            engine.run(loader(), max_epochs=1)
    assert len(caught) == handled
    assert not handler.monitor.attached
    assert handler.monitor.snapshot().step == 20
    assert not any(module._forward_hooks for module in model.modules())
