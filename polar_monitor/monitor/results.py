"""Results of a monitor for its user: numbers, labels, alerts, and texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..alerts.alert import Alert
from ..alerts.alerts import Alerts
from ..errors import PolarMonitorError
from ..evaluation import Evaluation, Health
from ..regime.regime import Regime
from ..statistics.snapshot import Snapshot
from ..views.find_logs import LOG
from ..views.history import History, read
from . import shown, summary
from .evaluation_loop import EvaluationLoop
from .outputs import Outputs
from .shared import merge_if_due, sync
from .sources.latent_search import LatentSearch
from .sources.observe import checked_mode

if TYPE_CHECKING:
    from ..downstream.latent_statistics import LatentStatistics


class Results:
    """Results of a monitor; `PolarMonitor` adds how they come about."""

    _loop: EvaluationLoop
    _search: LatentSearch | None
    _observed = ""
    """Text for `explain` of latents that are observed by hand."""
    _outputs: Outputs
    latents: Mapping[str, Results]
    """Monitors of the other latents, by name, with `latents="all"`."""

    @property
    def log_dir(self) -> Path | None:
        """Folder of the default sinks; None without them."""
        return self._outputs.folder

    def __repr__(self) -> str:
        """Describe the monitor in a line. Nothing is evaluated for it."""
        pipeline = next((one for one in self._loop.pipelines.values() if one.snapshot is not None), None)
        snapshot, regime = (None, None) if pipeline is None else (pipeline.snapshot, pipeline.regime)
        return shown.line(snapshot, regime, self.alerts, self.health(), self.log_dir)

    def _announcement(self) -> str:
        """Return the line of `attach`."""
        loop = self._loop
        pipeline = next(iter(loop.pipelines.values()), None)
        dimensions = None if pipeline is None or pipeline.stream is None else pipeline.stream.dimensions
        names = () if loop.hooks is None else loop.hooks.names
        return shown.watching(names, dimensions, self._outputs.group.sinks, self.log_dir)

    def _repr_html_(self) -> str:
        """Return the sentence on the run and its lifelines, for notebooks."""
        self._outputs.group.flush()
        regime = next((one.regime for one in self._loop.pipelines.values() if one.regime is not None), None)
        return shown.as_html(repr(self), regime, self.log_dir)

    def _complete(self, mode: str | None) -> tuple[Snapshot | None, Regime | None]:
        """Return snapshot and regime of the latest evaluation, with all statistics."""
        pipeline = self._loop.pipelines.get(checked_mode(mode, self._loop.options.modes))
        if pipeline is None:
            return None, None
        self._loop.complete(pipeline)
        return pipeline.snapshot, pipeline.regime

    def snapshot(self, mode: str | None = None) -> Snapshot | None:
        """Return the statistics of the latest evaluation of a mode, or None before the first.

        Without `mode` it is the first of `modes`. Raises PolarMonitorError for a mode that is not watched.
        """
        return self._complete(mode)[0]

    def regime(self, mode: str | None = None) -> Regime | None:
        """Return the labels and the verdict of the latest evaluation of a mode, or None before the first.

        Without `mode` it is the first of `modes`. Raises PolarMonitorError for a mode that is not watched.
        """
        return self._complete(mode)[1]

    def latent_statistics(self, mode: str | None = None) -> LatentStatistics | None:
        """Return mean, standard deviation and scaling factor of the latent's samples, or None before the first row.

        They are what a diffusion model in this latent space needs: `scaling_factor` is 1 / std of all channels,
        `mean` and `std` have a number for each. The moments are exact for the rows of the window, rows that wait for
        an evaluation included. Latents that a callable `prior=` standardises are measured as they are then.
        Without `mode` it is the first of `modes`. Raises PolarMonitorError for a mode that is not watched.

        Example:
            >>> import numpy as np, polar_monitor
            >>> monitor = polar_monitor.PolarMonitor(sinks=())
            >>> monitor.observe(np.tile([[3.0], [5.0]], (600, 2)), var=np.full((1200, 2), 3.0))
            >>> monitor.latent_statistics()
            <LatentStatistics of 2 channels: scaling factor 0.5, shift factor 4, 1200 rows>
        """
        from ..downstream.latent_statistics import latent_statistics

        pipeline = self._loop.pipelines.get(checked_mode(mode, self._loop.options.modes))
        self._loop.ingest_pending()
        stream = None if pipeline is None else pipeline.stream
        return None if stream is None or not stream.rows else latent_statistics(stream)

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """The newest 10,000 alerts, oldest first, and each mode's first COLLAPSE and NON_FINITE, even if older."""
        return Alerts(self._loop.alerts.alerts)

    @property
    def history(self) -> History:
        """Tidy records of the run so far, as `polar_monitor.read` gives them; `history.to_frame()` is a data frame.

        They are read from the monitor's log: without one, as with `sinks=()`, it raises PolarMonitorError.
        """
        folder = self.log_dir
        if folder is None:
            raise PolarMonitorError(
                "history: this monitor writes no log: attach(model, log_dir=…), or leave sinks=… out, and attach first"
            )
        self._outputs.group.flush()
        return read(folder / LOG)

    @property
    def should_stop(self) -> bool:
        """True after a NON_FINITE, and after a COLLAPSE for as long as no dimension is informative.

        A collapsed model that comes into use (again) is no reason to stop.
        """
        return self._loop.alerts.should_stop(self._loop.regimes)

    def raise_on_collapse(self) -> None:
        """Raise CollapseError after a COLLAPSE, for as long as no dimension is informative, for loops that stop then.

        `should_stop` is True then too, and also after a NON_FINITE.
        """
        self._loop.alerts.raise_on_collapse(self._loop.regimes)

    def sync(self, *, due: bool = False, group: Any = None) -> tuple[Evaluation, ...]:
        """Merge the rows of all ranks of a process group and evaluate them. All ranks call it, or none.

        It makes two collectives, always both, at no other time than in this call, and nothing else of the monitor makes
        any. Every rank gets the same evaluations, labels and alerts, so that `should_stop` is the same everywhere; rank
        0 alone writes. From the first call on no rank evaluates by itself. `docs/many-devices.md` says what is merged.

        Args:
            due: True for a call after every step: the ranks merge in the calls that rank 0 has chosen, as its schedule
                and `max_overhead` allow, and the other calls return () at once.
            group: Process group of `torch.distributed`; None is the default one. Its time-out holds.

        Without a group of several ranks it is `evaluate()`, and does nothing with `due`. Rows since the latest `sync`
        are not in `state_dict()`: call it before. Raises PolarMonitorError, on all ranks, if the ranks watch
        different latents or were attached with other arguments, and what `torch.distributed` raises.

        Example:
            >>> import polar_monitor
            >>> polar_monitor.PolarMonitor(sinks=()).sync(due=True)
            ()
        """
        return sync(self._loop, due, group)

    def _merge(self, *, due: bool) -> bool:
        """Merge the ranks in the loop of a framework; see `merge_if_due`."""
        return merge_if_due(self._loop, due)

    def health(self) -> Health:
        """Return the monitor's counters of its own work: rows, errors, overhead."""
        return self._loop.health()

    def explain(self, dimension: int | None = None) -> str:
        """Explain the choice of the latent; with a dimension, the reasons for its label."""
        regime = self.regime()
        if dimension is not None:
            probed = self._loop.publisher.probed
            return "nothing has been evaluated yet" if regime is None else probed.explain(regime, dimension)
        why = self._observed if self._search is None else self._search.why
        read = next((read for pipeline in self._loop.pipelines.values() if (read := pipeline.reading)), "")
        search = self._search
        decoder = "" if search is None or search.decoder is None else search.decoder.text
        left_out = next((p.left_out for p in self._loop.pipelines.values() if p.left_out), "")
        read = "\n".join(part for part in (read, decoder, "" if search is None else search.cost, left_out) if part)
        return summary.explain(why, read, self._loop.options.modes, self._loop.schedule, self.log_dir)

    def summary(self, *, all: bool = False) -> str:
        """Format the verdict, the dimensions and the newest alerts as plain text that fits the terminal.

        Dimensions in use come first, and those that are out of use are one line. `all` gives a line to each dimension,
        and all alerts.
        """
        pipeline = self._loop.pipelines.get(self._loop.options.modes[0])
        used = () if pipeline is None else pipeline.alerts.history.was_used.tolist()
        probed = self._loop.publisher.probed.latest
        own = summary.summary(self.snapshot(), self.regime(), self.alerts, self.health(), probed, used, all)
        others = (f"latent {name!r}: {other.summary(all=all)}" for name, other in self.latents.items())
        return "\n\n".join([own, *others])
