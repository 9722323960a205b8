"""A clock of processor time, for machines that others use: a step that waits for them takes no time."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import polar_monitor.capture.tap
import polar_monitor.monitor.sources.connection
import polar_monitor.schedule.governor
import polar_monitor.schedule.schedule
import polar_monitor.statistics.precompile


@contextmanager
def cpu_time() -> Iterator[None]:
    """Let the loop and the monitor read processor time; sleep only moves the clock on."""
    slept, process_time, process_time_ns = [0.0], time.process_time, time.process_time_ns

    def sleep(seconds: float) -> None:
        slept[0] += seconds

    def seconds() -> float:
        return process_time() + slept[0]

    def nanoseconds() -> int:
        return process_time_ns() + int(1e9 * slept[0])

    package = polar_monitor
    readers = (package.monitor.sources.connection, package.statistics.precompile)
    with ExitStack() as patches:
        patches.enter_context(patch.object(time, "sleep", sleep))
        for module in (time, *readers, package.schedule.governor, package.schedule.schedule):
            patches.enter_context(patch.object(module, "perf_counter", seconds))
        patches.enter_context(patch.object(package.capture.tap, "perf_counter_ns", nanoseconds))
        yield
