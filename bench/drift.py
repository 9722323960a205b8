"""Information of a model that drifts: `python -m bench.drift [--seeds 200] [--every 200]` prints a table.

A window holds the rows of one interval between two evaluations, recorded in bursts spread over it, as the schedule
does, or at its end. Its estimate should be the information averaged over the steps of the interval: the table gives the
share of seeds at which value ± 1.96 errors holds that average, and the bias in nats. 90 to 99 % is right.

Codes are Gaussian, so the information of a step is known: ½ log(1 + a²/σ²) for means of standard deviation a. `still`
does not drift; in `polarises` log σ² falls, in `fades` a falls, both by so many nats of information an interval; in
`moves` the whole code moves by so many of its standard deviations √(a² + σ²).
"""

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polar_monitor.schedule.duty_cycle import HookDutyCycle
from polar_monitor.statistics.stream import LatentStream

Array = NDArray[Any]
WINDOW, BATCH, DIMENSIONS = 4096, 128, 20
DRIFTS = {"still": (0.0,), "polarises": (0.1, 0.3, 1.0), "fades": (0.1, 0.3, 1.0), "moves": (0.1, 0.3, 1.0)}


def spread(every: int) -> list[int]:
    """The steps, from 1 to `every`, that the schedule records in an interval whose hooks pause at its beginning."""
    cycle, rows, steps = HookDutyCycle(), BATCH, []
    cycle.count(rows)
    cycle.begin(0, rows, WINDOW)
    on = not cycle.pause(0, every)
    for now in range(1, every + 1):
        if on:
            steps.append(now)
            rows += BATCH
            on = cycle.count(rows) or not cycle.pause(now, every)
        else:
            on = cycle.until <= now
        if on and cycle.until:
            cycle.end(now)
    return steps


def at_the_end(every: int) -> list[int]:
    """As many steps, in a row, right before the evaluation."""
    return list(range(every - WINDOW // BATCH + 1, every + 1))


def code(kind: str, rate: float, time: Array) -> tuple[Array, Array, Array]:
    """Standard deviation of the means, variance and offset of the code at times from 0 to 1 of the interval."""
    one, variance = np.ones_like(time), np.full_like(time, 0.1)
    match kind:
        case "polarises":
            return one, variance * np.exp(-2 * rate * time), 0 * time
        case "fades":
            return np.exp(-rate * time), variance, 0 * time
        case _:
            return one, variance, rate * np.sqrt(1.1) * time


def estimates(steps: list[int], every: int, kind: str, rate: float, seeds: int) -> tuple[Array, Array]:
    """Information and its error, of so many seeds."""
    a, variance, offset = code(kind, rate, np.repeat(steps, BATCH) / every)
    values, errors = [], []
    for seed in range(-(-seeds // DIMENSIONS)):
        rng = np.random.default_rng([seed, len(kind), int(100 * rate)])
        mean = offset[:, None] + a[:, None] * rng.normal(size=(len(a), DIMENSIONS))
        stream = LatentStream(DIMENSIONS, window=WINDOW)
        stream.update(mean.astype(np.float32), np.repeat(variance[:, None], DIMENSIONS, 1).astype(np.float32))
        snapshot = stream.snapshot(every)
        values.append(snapshot.information)
        errors.append(snapshot.information_se)
    return np.concatenate(values)[:seeds], np.concatenate(errors)[:seeds]


def truth(every: int, kind: str, rate: float) -> float:
    """Information averaged over the steps of the interval."""
    a, variance, _ = code(kind, rate, np.arange(1, every + 1) / every)
    return float(np.mean(0.5 * np.log1p(a**2 / variance)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--every", type=int, default=200, help="steps between two evaluations")
    options = parser.parse_args()
    every = options.every
    steps = {"spread": spread(every), "at the end": at_the_end(every)}
    print("recorded steps:", ", ".join(f"{name} {len(recorded)}" for name, recorded in steps.items()))
    print("| code | drift | truth | spread: coverage | bias | at the end: coverage | bias |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for kind, rates in DRIFTS.items():
        for rate in rates:
            cells, right = [], truth(every, kind, rate)
            for recorded in steps.values():
                value, error = estimates(recorded, every, kind, rate, options.seeds)
                cells += [f"{np.mean(np.abs(value - right) <= 1.96 * error):.0%}", f"{np.mean(value) - right:+.4f}"]
            print(f"| {kind} | {rate:g} | {right:.3f} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
