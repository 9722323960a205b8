"""What is kept of one trained model: everything a rule may look at, and the ground truth it is judged by.

Shapes: n held-out rows, m of them intervened on (the first m), D latent dimensions, f targets, T live evaluations.
One `.npz` a model, without pickle; `None` is an entry that is not there.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
GROUPS = {"trajectory": "trajectory.", "weights": "weights."}
"""Fields that are mappings, and how the names of their entries begin."""


@dataclass(frozen=True, eq=False)
class Trained:
    """One trained model, as rules and probes see it, and the truth about it."""

    name: str
    """Stable and unique: family, data, strength and seed, e.g. "beta-vae_sprites_4_s0"."""
    library: str
    """Digest of the library whose monitor watched it, see `recipe`."""
    recipe: str
    """Digest of the code that trained it and found the truth."""
    family: str
    """As `grid.Spec` has it."""
    data: str
    """One of "sprites", "digits", "conditional", "linear-gaussian", "auxiliary", "patches"."""
    option: float
    """The share of the conditional factor; NaN for other data."""
    seed: int
    strength: float
    """Weight of the regulariser: β of a VAE, λ of Least Volume, weight of the squared code of a RAE; 0 is none."""
    price: float
    """Loss that the objective pays for one nat of information: β of a VAE; NaN for autoencoders, which have none."""
    unit: str
    """Of the reconstruction loss and its rises: "nats" or "squared error", an input."""
    steps: int
    seconds: float
    """Of training, the monitor included."""

    mean: Float32
    """Mean representation of the held-out inputs, or the code of an autoencoder (n, D)."""
    logvar: Float32 | None
    """Posterior log-variance (n, D); None for autoencoders."""
    prior_mean: Float32 | None
    """Mean of the conditional prior for each row (n, D); None where the prior is N(0, 1) or there is none."""
    prior_logvar: Float32 | None
    z: Float32
    """One sample of the latent a row (n, D); the code of an autoencoder."""
    targets: Float64
    """Factors or labels (n, f), for probes."""
    target_names: tuple[str, ...]
    """Names of the targets (f,); those of classes end in "class"."""

    loss: float
    """Mean reconstruction loss of the held-out inputs."""
    rise: Float64
    """Rise in it when z_j is replaced by draws from its marginal, mean over inputs (D,)."""
    rise_se: Float64
    """Paired standard error (D,)."""
    rise_mean: Float64
    """The same with z_j replaced by its mean (D,)."""
    rise_mean_se: Float64
    rise_all: float
    """Rise when the whole code is replaced by that of another input."""
    rise_all_mean: float
    """Rise when all dimensions are replaced by their means."""
    importance: Float64
    """Explained reconstruction, rise_mean / rise_all_mean (D,), clipped at 0 from below; NaN where nothing is used."""
    rise_given_prior: Float64 | None
    """Rise with draws from the conditional prior p(z_j | u) (D,): use beyond what u tells; None without one."""
    rise_given_prior_se: Float64 | None
    rows: Float32
    """Rise of every single input, mean over draws (m, D)."""
    rows_given_prior: Float32 | None
    """The same with draws from the conditional prior (m, D)."""
    scale: float
    """The unit of rises: the price for VAEs, a part of what the whole code explains for autoencoders."""

    share_in_use: Float64
    """Share of the inputs for which the dimension is in use (D,); see `truth.share_in_use` for this and its bounds."""
    share_low: Float64
    share_high: Float64
    truth: tuple[str, ...]
    """For each dimension "active", "passive", "mixed", or "unclear" where the data cannot tell (D,)."""
    truth_given_prior: tuple[str, ...] | None
    """The same for `rise_given_prior`."""
    verdict: str
    """One of "two groups", "none used", "all used", "graded"."""

    live_labels: tuple[str, ...]
    """What the monitor said at the end of training (D,)."""
    live_verdict: str
    trajectory: dict[str, Float64]
    """Per-dimension arrays (T, D) of every live snapshot, by their names in `Snapshot`; `step` is (T,)."""
    inputs: int
    """Numbers of an input."""
    weights: dict[str, NDArray[Any]] | None
    """State of the model, by its names: with it a rule may ask the decoder. None for models with a variance."""

    @property
    def dimensions(self) -> int:
        """D, the number of latent dimensions."""
        return int(self.mean.shape[1])

    def save(self, folder: Path) -> Path:
        """Write `<name>.npz` into the folder, whole or not at all; returns its path."""
        entries: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name in GROUPS and value is not None:
                entries |= {GROUPS[f.name] + key: array for key, array in value.items()}
            elif value is not None:
                entries[f.name] = np.asarray(value)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.npz"
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.savez_compressed(file, **entries)
        part.replace(path)
        return path


def load(path: Path) -> Trained:
    """Read a record back. Raises KeyError for an entry that is missing, ValueError for one that needs pickle."""
    hints = get_type_hints(Trained)
    values: dict[str, Any] = {}
    with np.load(path, allow_pickle=False) as file:
        for f in fields(Trained):
            if f.name in GROUPS:
                found = [key for key in file.files if key.startswith(GROUPS[f.name])]
                values[f.name] = {key.removeprefix(GROUPS[f.name]): file[key] for key in found} or None
            elif f.name not in file.files and types.NoneType in get_args(hints[f.name]):
                values[f.name] = None
            else:
                values[f.name] = _plain(file[f.name])
    return Trained(**values)


def load_all(folder: Path) -> Iterator[Trained]:
    """All records of a folder, in the order of their names."""
    for path in sorted(folder.glob("*.npz")):
        yield load(path)


def _plain(array: NDArray[Any]) -> Any:
    """A number or string for an array without axes, a tuple of strings for an array of them."""
    if array.ndim == 0:
        return array.item()
    return tuple(array.tolist()) if array.dtype.kind == "U" else array
