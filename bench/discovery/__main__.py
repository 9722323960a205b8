"""`python -m bench.discovery`: error rates on random VAEs, and what discovery costs.

Prints the share of 300 random VAEs whose latent is confirmed within 10 and 50 steps, the share confirmed with a wrong
name (each is listed), and, with `--cost`, the time of discovery in models of ordinary size.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from polar_monitor.capture.search.look import Look
from polar_monitor.discovery.evidence.judge import Judge
from polar_monitor.discovery.evidence.pieces import Slot
from polar_monitor.discovery.evidence.reading import Reading

from .cost import costs
from .random_vaes import RandomVae

SIGMA: dict[str, Callable[[Tensor], Tensor]] = {
    "logvar": lambda spread: (spread / 2).exp(),
    "logstd": torch.exp,
    "var": torch.sqrt,
    "std": torch.abs,
}
"""Unit → σ."""


def is_right(reading: Reading, model: RandomVae) -> bool:
    """Return True if a reading gives the mean and σ of a model, in a forward of its own."""
    outputs: dict[str, Any] = {}
    handles = [
        module.register_forward_hook(lambda _, __, out, name=name: outputs.setdefault(name, out))
        for name, module in model.named_modules()
    ]
    with torch.no_grad():
        x = model.batch()
        model(x)
        mean, spread = model.moments(x)
        std = model.std(spread).abs()
    for handle in handles:
        handle.remove()
    mean_read = reading.mean.read(outputs[reading.mean.module])
    given = reading.spread.read(outputs[reading.spread.module])
    given = given if reading.form.read is None else reading.form.read(given)
    scale = {"logvar": lambda s: (s / 2).exp(), "logstd": torch.exp, "var": torch.sqrt, "std": torch.abs}[
        reading.form.unit
    ](given)
    if mean_read.shape != mean.shape or scale.shape != std.shape:
        return False
    return bool(torch.allclose(mean_read, mean, atol=1e-4)) and float((scale / std).log().abs().mean()) < 0.02


def discovered(seed: int, steps: int, hint: Any) -> tuple[int, Reading | None, RandomVae]:
    """Train one random VAE; return the step that confirmed its latent, 0 if none did, and the reading."""
    model = RandomVae(seed)
    optimiser = torch.optim.Adam(model.parameters(), model.lr)
    look, judge = Look(model), Judge(hint)
    look.start()
    for step in range(1, steps + 1):
        model(model.batch())[1].backward()
        optimiser.step()
        optimiser.zero_grad()
        blocks = look.end_step()
        assert blocks is not None
        judge.add(blocks.take())
        if readings := judge.confirmed():
            look.stop()
            return step, readings[-1], model
        look.start(judge.modules() or None)
    look.stop()
    return 0, None, model


def no_hint(mean: Slot, spread: Slot, unit: str) -> float:
    """Return that names say nothing."""
    return 0.0


def misleading(mean: Slot, spread: Slot, unit: str) -> float:
    """Return that names say log σ²."""
    return 1.0 if unit == "logvar" else -1.0


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=300)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--names", action="store_true", help="names that say log σ² of every model, true or not")
    parser.add_argument("--cost", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.cost:
        print(costs())
        return
    steps, wrong, open_ = [], [], Counter[str]()
    known = 0
    for seed in range(given.first, given.first + given.models):
        step, reading, model = discovered(seed, given.steps, misleading if given.names else no_hint)
        is_known = model.truth.unit != "none of these"
        known += is_known
        if reading is not None and not is_right(reading, model):
            wrong.append(
                f"  seed {seed}, step {step}: {reading.mean}, {reading.form.name} from {reading.spread}; {model.truth}"
            )
        elif reading is not None:
            steps.append(step)
        elif is_known:
            open_[model.truth.unit] += 1
    within = sum(step <= 10 for step in steps)
    names = "names say log σ²" if given.names else "names unused"
    print(f"{given.models} random VAEs, {known} of a known form, {names}")
    print(f"confirmed and right within 10 steps {within / known:.2f}, within {given.steps} {len(steps) / known:.2f}")
    print(f"wrong: {len(wrong)}", *wrong, sep="\n")
    print(f"left open: {dict(open_)}")


if __name__ == "__main__":
    main()
