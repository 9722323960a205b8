"""PyTorch-Ignite: a handler that attaches to an engine, as in `PolarHandler(model).attach(trainer)`."""

from __future__ import annotations

from typing import Any

from torch import nn

from ._adapter import Adapter

try:
    from ignite import distributed
    from ignite.engine import Events
except ImportError as missing:
    raise ImportError("PolarHandler needs pytorch-ignite: pip install pytorch-ignite") from missing


class PolarHandler(Adapter):
    """Watches the latent of a model from the start of each run of an engine to its end.

    The arguments after the model are those of `polar_monitor.attach`. `Checkpoint(to_save={"polar": handler, …})` saves
    the state. The engine stops when `monitor.should_stop` is true. Several processes are merged by
    `monitor.sync(due=True)` after each iteration, and stop together. `monitor` is the monitor, also after the run.
    """

    def __init__(self, model: nn.Module, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.model = model

    def attach(self, engine: Any) -> PolarHandler:
        """Follow an engine that trains the model; returns itself."""
        engine.add_event_handler(Events.STARTED, self._started)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._iterated)
        engine.add_event_handler(Events.COMPLETED, self._completed)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._failed)
        return self

    def _started(self, engine: Any) -> None:
        self.start(self.model)

    def _iterated(self, engine: Any) -> None:
        if self.stops(distributed.get_world_size(), lambda stop: bool(distributed.all_reduce(float(stop)))):
            engine.terminate()

    def _completed(self, engine: Any) -> None:
        self.finish(distributed.get_world_size())

    def _failed(self, engine: Any, exception: BaseException) -> None:
        """Detach. Ignite raises an exception by itself only if nothing handles it, so ours must not count."""
        self.end()
        if len(engine._event_handlers[Events.EXCEPTION_RAISED]) == 1:
            raise exception
