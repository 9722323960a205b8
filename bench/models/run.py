"""Models of the study, each in a process of its own: `python -m bench.models.run NAME … [--steps N] [--windows N]`.

It prints one JSON object a line, a model each. The monitor is `attach(model)` and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import tempfile
import time
import traceback

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import nn, optim

from .structure import Structure
from .watch import study


def find(name: str) -> Structure:
    """Return a model of the study by its name."""
    if name.startswith("packages."):
        from .packages import find as find_package

        return find_package(name.removeprefix("packages."))
    from .structures import ALL

    return ALL[name]


def warm_up() -> None:
    """Load the package and its kernels once, for all processes that are forked from this one."""
    import polar_monitor

    model = nn.ModuleDict({"fc_mu": nn.Linear(4, 2), "fc_logvar": nn.Linear(4, 2)})
    monitor = polar_monitor.attach(model, mean="fc_mu", logvar="fc_logvar", sinks=())
    optimiser = optim.SGD(model.parameters(), 0.0)
    for _ in range(40):
        x = torch.randn(64, 4)
        (model["fc_mu"](x).sum() + model["fc_logvar"](x).sum()).backward()
        optimiser.step()
    monitor.evaluate()
    monitor.snapshot()
    monitor.detach()


def forked(name: str, steps: int, windows: int, timeout: float) -> str:
    """Study one model in a process of its own; return its result as one line of JSON."""
    with tempfile.NamedTemporaryFile() as file:
        child = os.fork()
        if not child:
            status = 1
            try:
                with open(file.name, "w", encoding="utf-8") as out:
                    try:
                        result = study(find(name), steps, windows)
                    except BaseException as error:
                        result = {"crashed": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
                    out.write(json.dumps(result, ensure_ascii=False))
                status = 0
            finally:
                os._exit(status)
        began = time.perf_counter()
        while time.perf_counter() - began < timeout:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                with open(file.name, encoding="utf-8") as text:
                    return text.read() or json.dumps({"crashed": f"status {status}"})
            time.sleep(0.02)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return json.dumps({"crashed": f"no result after {timeout:.0f} s"})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.models.run", description=__doc__)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--windows", type=int, default=4)
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for one model")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warm_up()
    for name in arguments.names:
        print(forked(name, arguments.steps, arguments.windows, arguments.timeout), flush=True)


if __name__ == "__main__":
    main()
