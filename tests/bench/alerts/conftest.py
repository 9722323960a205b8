"""One small trained run that tests of the suite share."""

from __future__ import annotations

import pytest
from alert_runs import TINY

from bench.alerts.training import train
from bench.alerts.training.course import Course, Host, geometric
from bench.alerts.training.record import Run


def ramp(host: Host, step: int) -> None:
    host.beta = geometric(host.setup.nominal, 40.0, (step - 300) / 300)


@pytest.fixture(scope="session")
def tiny() -> Run:
    """Return a small run that loses all its dimensions."""
    return train.train(Course(TINY, ramp), "tiny-1", "tiny", 1, healthy=False)
