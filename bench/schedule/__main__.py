"""When the monitor evaluates at its defaults: `python -m bench.schedule [--loops [MS …] | --wide [D …]]` prints tables.

The first table is a week in made-up time: evaluations and bytes of both default sinks, in loops of different steps. An
evaluation takes no time there, which gives the largest log that the schedule allows. In a *quiet* run nothing ever
changes; in a *restless* one something differs at every evaluation, and one in eight is full. The bytes of an evaluation
are measured: the mean of many, after the first ones.

`--loops` trains a small VAE for twenty seconds for each length of a step in milliseconds, padded by sleep, and, if no
length is given, for 3,000 steps of 1 and 2 ms. It prints the evaluations, the step of the first verdict, the monitor's
own time, and the most that this ever was beyond 1 % of the loop's.
`--wide` does so for wide latents. `--cpu-time` counts processor time, for a machine that others use.
"""

import argparse
from contextlib import nullcontext

import torch

from .cpu_time import cpu_time
from .loops import loop
from .week import bytes_of_an_evaluation, week
from .wide import wide


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loops", type=float, nargs="*", metavar="MS")
    parser.add_argument("--dimensions", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--wide", type=int, nargs="*", metavar="D")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.wide is not None:
        print("| D | step | evaluations | dearest | own time | most beyond 1 % |")
        print("| ---: | ---: | ---: | ---: | ---: | ---: |")
        with cpu_time() if options.cpu_time else nullcontext():
            for dimensions in options.wide or (10, 1024, 4096, 65_536):
                print(wide(dimensions, options.seconds), flush=True)
        return
    size = bytes_of_an_evaluation(options.dimensions)
    print(f"An evaluation of {options.dimensions} dimensions writes {size / 1000:.1f} kB.\n")
    print("| a week of steps of | quiet: evaluations | at the end | log | restless: evaluations | at the end | log |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for pace in (0.001, 0.01, 0.1, 1.0):
        runs = [week(pace, restless) for restless in (False, True)]
        cells = " | ".join(f"{count} | {seconds:.0f} s | {count * size / 1e6:.0f} MB" for count, seconds in runs)
        print(f"| {1000 * pace:g} ms | {cells} |")
    if options.loops is not None:
        print("\n| step | steps | evaluations | first verdict | own time | loop | most beyond 1 % |")
        print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
        with cpu_time() if options.cpu_time else nullcontext():
            for pace in options.loops or (0.5, 1.0, 5.0, 20.0, 100.0, 200.0):
                print(loop(pace / 1000, options.seconds, float("inf")), flush=True)
            for pace in () if options.loops else (1.0, 2.0):
                print(loop(pace / 1000, float("inf"), 3000), flush=True)


if __name__ == "__main__":
    main()
