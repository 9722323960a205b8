"""All runs of the suite, and the folder that keeps them: a run is trained once, and again when its code changed."""

from __future__ import annotations

import hashlib
import inspect
import logging
import multiprocessing
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import collected, course, data, intervene, models, train
from .causes import CAUSES
from .course import Kind
from .healthy import HEALTHY
from .record import Run, load

SEEDS = 6
KINDS: dict[str, Kind] = {**CAUSES, **HEALTHY}
QUICK = (
    *("beta_ramp-0", "decoder_variance-0", "teacher_forcing-0", "weight_decay-0", "rate_spike-1", "linear-1"),
    *("warm_up-0", "cyclical-1", "small_sprites-0", "small_batches-0", "resume-0", "trading-0"),
)


@dataclass(frozen=True)
class Entry:
    """One run to be made."""

    kind: str
    seed: int

    @property
    def name(self) -> str:
        """Also the name of its file."""
        return f"{self.kind}-{self.seed}"

    @property
    def recipe(self) -> str:
        """Digest of what makes it: the function of its kind and what all kinds share."""
        shared = [inspect.getsource(module) for module in (collected, course, data, intervene, models, train)]
        return hashlib.sha256("".join([inspect.getsource(KINDS[self.kind]), *shared]).encode()).hexdigest()[:16]

    def make(self) -> Run:
        """Train it."""
        drawn = KINDS[self.kind](np.random.default_rng([zlib.crc32(self.kind.encode()), self.seed]))
        return train.train(drawn, self.name, self.kind, self.seed, self.kind in HEALTHY, self.recipe)


def every(quick: bool = False, seeds: Sequence[int] = range(SEEDS)) -> list[Entry]:
    """The entries of the full or the quick set, pairs of seeds at a time: an interrupted set has both halves."""
    pairs = [seeds[place : place + 2] for place in range(0, len(seeds), 2)]
    entries = [Entry(kind, seed) for pair in pairs for kind in KINDS for seed in pair]
    return [entry for entry in entries if entry.name in QUICK] if quick else entries


def kept(entry: Entry, folder: Path) -> Run | None:
    """The stored run, or None if there is none or it was made by other code."""
    path = folder / f"{entry.name}.npz"
    if not path.exists():
        return None
    try:
        run = load(path)
    except (ValueError, KeyError, TypeError, OSError):
        return None
    return run if run.recipe == entry.recipe else None


def stored(entries: Sequence[Entry], folder: Path) -> Iterator[Run]:
    """What the folder has, whatever code made it."""
    for entry in entries:
        path = folder / f"{entry.name}.npz"
        if path.exists():
            yield load(path)


def collect(entries: Sequence[Entry], folder: Path, jobs: int) -> Iterator[Run]:
    """Every run, from the folder where it has it, as they come; what is missing is trained by `jobs` processes."""
    missing = []
    for entry in entries:
        run = kept(entry, folder)
        if run is None:
            missing.append(entry)
        else:
            yield run
    if not missing:
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _quiet) as pool:
        for done in as_completed([pool.submit(_store, entry, folder) for entry in missing]):
            yield load(done.result())


def _store(entry: Entry, folder: Path) -> Path:
    path = folder / f"{entry.name}.npz"
    entry.make().save(path)
    return path


def _quiet() -> None:
    logging.getLogger("polar_monitor").setLevel(logging.ERROR)
