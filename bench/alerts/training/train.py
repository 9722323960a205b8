"""The one training loop of the suite: a course, its monitor, and the truth at every second evaluation."""

from __future__ import annotations

import io
import time
import zlib
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

import polar_monitor
from polar_monitor.evaluation import Evaluation

from .collected import Collected
from .course import Course, Host
from .data import HELD, images
from .intervene import Worth, worth
from .models import FAMILIES, LinearVae, Vae
from .record import LABELS, Run, Series, stacked

TRUTH_EVERY = 2
"""Evaluations to one measurement of the truth, which costs more than they do."""


def train(course: Course, name: str, kind: str, seed: int, healthy: bool, recipe: str = "") -> Run:
    """Train one run, from its kind and seed alone."""
    began, setup = time.process_time(), course.setup
    torch.set_num_threads(1)
    chosen = (zlib.crc32(kind.encode()) + seed) % 2**31
    torch.manual_seed(chosen)
    kept = {every: Collected() for every in (setup.every, *setup.seldom)}
    seen = kept[setup.every].evaluations
    host = prepared(course, kept)
    chance = torch.Generator().manual_seed(chosen + 1)
    series: dict[str, list[float]] = defaultdict(list)
    truths: list[tuple[int, Worth]] = []
    since: dict[str, list[float]] = defaultdict(list)
    for step in range(setup.steps):
        course.change(host, step)
        for word, value in zip(("loss", "reconstruction", "kl"), one_step(host), strict=True):
            since[word].append(value)
        if len(seen) > len(series["beta"]):
            if len(seen) % TRUTH_EVERY == 0:
                place = len(seen) - 1
                truths.append((place, worth(host.model, _shown(host.held, host), chance)))
            for word, values in since.items():
                series[word].append(float(np.mean(values)))
            series["beta"].append(host.beta / host.weight)
            series["rate"].append(host.rate)
            since.clear()
    _detach(host)
    return _run(course, kept, series, truths, name, kind, seed, healthy, recipe, time.process_time() - began)


def prepared(course: Course, kept: Mapping[int, Collected]) -> Host:
    """The host before its first step, with monitors that write into `kept`."""
    setup = course.setup
    data = images(setup.data)
    model = FAMILIES[setup.family](data.shape[1], setup.latents, setup.hidden)
    optimizer = optimizer_of(model, setup.rate, course.slow_encoder)
    host = Host(setup, model, optimizer, kept, {}, data[:-HELD], data[-HELD:], beta=setup.nominal, batch=setup.batch)
    if course.start is not None:
        course.start(host)
    _attach(host)
    return host


def optimizer_of(model: Vae | LinearVae, rate: float, slow_encoder: float = 1.0) -> torch.optim.Optimizer:
    """Adam, with the encoder's learning rate a share of the decoder's."""
    heads = ("encoder.", "fc_mu.", "fc_logvar.")
    named = list(model.named_parameters())
    groups = [
        {"params": [p for n, p in named if n.startswith(heads)], "lr": rate * slow_encoder, "share": slow_encoder},
        {"params": [p for n, p in named if not n.startswith(heads)], "lr": rate, "share": 1.0},
    ]
    return torch.optim.Adam(groups, fused=True)


def restart(host: Host) -> None:
    """Make model, optimiser and monitors anew from their states, as a process does that was killed."""
    setup, file = host.setup, io.BytesIO()
    states = {every: monitor.state_dict() for every, monitor in host.monitors.items()}
    torch.save([host.model.state_dict(), host.optimizer.state_dict(), states], file)
    _detach(host)
    file.seek(0)
    model, optimizer, states = torch.load(file, weights_only=True)
    host.model = FAMILIES[setup.family](host.x.shape[1], setup.latents, setup.hidden)
    host.model.load_state_dict(model)
    host.optimizer = optimizer_of(host.model, setup.rate)
    host.optimizer.load_state_dict(optimizer)
    _attach(host)
    for every, state in states.items():
        host.monitors[every].load_state_dict(state)


def one_step(host: Host) -> tuple[float, float, float]:
    """One optimiser step; the loss, the reconstruction and the KL term of its batch."""
    x = _shown(host.x[torch.randint(len(host.x), (host.batch,))], host)
    mean, logvar = host.model.posterior(x)
    z = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
    reconstruction = host.model.nats(z, x).mean()
    kl = 0.5 * (mean.square() + logvar.exp() - logvar - 1).sum(1).mean()
    loss = host.weight * reconstruction + host.beta * kl
    host.optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    host.optimizer.step()
    return loss.item(), reconstruction.item(), kl.item()


def _shown(x: Tensor, host: Host) -> Tensor:
    return x if host.pixels is None else x * host.pixels


def _attach(host: Host) -> None:
    """Attach a monitor for every sink."""
    setup = host.setup
    for every, sink in host.kept.items():
        sink.closed = False
        host.monitors[every] = polar_monitor.attach(
            host.model,
            sinks=(sink,),
            name=None if every == setup.every else f"every-{every}",
            every=every,
            window=setup.window,
            warmup=setup.warmup,
            max_overhead=1.0,
            strict=True,
        )


def _detach(host: Host) -> None:
    """Detach all monitors; what they evaluate on that occasion is not of the run."""
    for sink in host.kept.values():
        sink.closed = True
    for monitor in host.monitors.values():
        monitor.detach()


def _series(evaluations: list[Evaluation]) -> Series:
    return Series(
        steps=np.array([e.step for e in evaluations], np.int64),
        observed=np.array([e.observed for e in evaluations], np.int64),
        snapshots=stacked([e.snapshot for e in evaluations if e.snapshot is not None]),
    )


def _run(
    course: Course,
    kept: Mapping[int, Collected],
    series: dict[str, list[float]],
    truths: list[tuple[int, Worth]],
    name: str,
    kind: str,
    seed: int,
    healthy: bool,
    recipe: str,
    seconds: float,
) -> Run:
    evaluations = kept[course.setup.every].evaluations
    regimes = [e.regime for e in evaluations if e.regime is not None]
    host = {word: np.array(values) for word, values in series.items()}
    steps, places = np.array([e.step for e in evaluations], np.int64), [place for place, _ in truths]
    truth = {word: np.array([np.asarray(getattr(t, word)) for _, t in truths], np.float64) for word in Worth._fields}
    truth["beta"] = host["beta"][places]
    truth["validation"] = truth["reconstruction"] + truth["beta"] * truth["kl"]
    return Run(
        name=name,
        kind=kind,
        seed=seed,
        healthy=healthy,
        every=course.setup.every,
        warmup=course.setup.warmup,
        nominal=course.setup.nominal,
        said=course.setup.said,
        seconds=seconds,
        recipe=recipe,
        known=course.known,
        alerts=tuple(alert for e in evaluations for alert in e.alerts),
        labels=np.array([[LABELS.index(label) for label in regime.labels] for regime in regimes], np.int8),
        **_series(evaluations)._asdict(),
        seldom={every: _series(kept[every].evaluations) for every in course.setup.seldom},
        host=host,
        truth_steps=steps[places],
        truth=truth,
    )
