"""One row of the grid: rounds of blocks in random order, all of one training."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from .loop import Loop
from .models import Model
from .ours import Ours
from .peers import Peer, installed

BLOCK = 10
PEERS_EVERY = 4
"""Rounds of which one has the peers in it: they cost more, so fewer blocks tell."""
MIN_ROUNDS = 12
"""Rounds, whatever they take."""


@dataclass
class Row:
    """What was measured of one model."""

    name: str
    latents: int
    rounds: int = 0
    pace: float = 0.0
    """Seconds of a step that nobody watches."""
    every: int = 0
    """Steps between two evaluations."""
    settled: bool = False
    """Whether that is what the governor was after, and not still growing."""
    recording: float = 1.0
    """Share of the steps whose rows are recorded."""
    control: list[float] = field(default_factory=list)
    resting: list[float] = field(default_factory=list)
    awake: list[float] = field(default_factory=list)
    evaluations: list[float] = field(default_factory=list)
    """Seconds of the evaluations, beyond an ordinary step."""
    peers: dict[str, list[float]] = field(default_factory=dict)
    """Relative time of the blocks of each, as the lists above."""
    events: dict[str, list[float]] = field(default_factory=dict)
    """Seconds of what a peer does at an interval, as far as that is not in its blocks."""
    said: float = 0.0
    """The monitor's own account of its share."""


def measure(model: Model, latents: int, seconds: float, folder: Path, clock: Callable[[], float]) -> Row:
    """Measure for so many seconds, after half of them at most to settle; peers write to the folder."""
    torch.manual_seed(0)
    row, loop = Row(model.name, latents), Loop(model.make(latents), model.batch, clock)
    loop.run(20)
    ours = Ours(loop.model, folder / "ours")
    settled = ours.settle(loop, 0.5 * seconds)
    row.settled, row.every, row.recording = ours.settled, ours.monitor.health().every, ours.recording(model.batch[0])
    ours.off()
    peers = installed(loop.model, folder, clock)
    paces, order = [], random.Random(0)
    begin = perf_counter()
    while perf_counter() - begin < seconds or row.rounds < MIN_ROUNDS:
        blocks = ["off", "again", "ours"] + (list(peers) if row.rounds % PEERS_EVERY == 0 else [])
        order.shuffle(blocks)
        times = {block: _block(block, loop, ours, peers, settled) for block in blocks}
        _compare(row, times)
        paces.append(times["off"][0])
        row.rounds += 1
    row.every, row.recording = ours.monitor.health().every, ours.recording(model.batch[0])
    row.pace, row.said = float(np.median(paces)), ours.monitor.health().overhead
    ours.on()
    row.evaluations = [event - row.pace for event in settled] + ours.evaluate(loop, 3)
    ours.monitor.detach()
    row.events = {name: peer.seconds for name, peer in peers.items()}
    return row


def _block(kind: str, loop: Loop, ours: Ours, peers: dict[str, Peer], settled: list[float]) -> tuple[float, bool]:
    """Mean seconds of an ordinary step, and whether the monitor was at rest all the time."""
    if kind == "ours":
        before = ours.monitor.health().steps_rested
        ours.on()
        mean, events = loop.run(BLOCK, ours.after)
        ours.off()
        settled += events
        return mean, ours.monitor.health().steps_rested - before == BLOCK
    if kind in peers:
        peer = peers[kind]
        peer.on()
        mean, _ = loop.run(peer.block, peer.after)
        peer.off()
        return mean, False
    return loop.run(BLOCK)[0], False


def _compare(row: Row, times: dict[str, tuple[float, bool]]) -> None:
    plain, again = times["off"][0], times["again"][0]
    row.control.append(again / plain - 1)
    for kind, (mean, rested) in times.items():
        change = 2 * mean / (plain + again) - 1
        if kind == "ours":
            (row.resting if rested else row.awake).append(change)
        elif kind not in ("off", "again"):
            row.peers.setdefault(kind, []).append(change)
