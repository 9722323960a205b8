"""One place for "warn once", and warnings that never end a training."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest

from polar_monitor.errors import PolarMonitorWarning, WarnOnce, describe, warn


def test_a_key_is_new_once() -> None:
    once = WarnOnce()
    assert [once("a"), once("a"), once(("b", 1)), once(("b", 1))] == [True, False, True, False]
    assert "a" in once
    assert "c" not in once
    once.clear()
    assert once("a")


def test_the_number_of_keys_is_bounded() -> None:
    once = WarnOnce(limit=2)
    assert [once(key) for key in range(4)] == [True, True, False, False]
    assert not once(0)


def test_a_filter_that_makes_errors_of_warnings_does_not_end_a_training(caplog: pytest.LogCaptureFixture) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn("the message")
    assert caplog.messages == ["polar_monitor: the message"]
    with pytest.warns(PolarMonitorWarning, match="polar_monitor: twice"):
        warn("twice")


@pytest.mark.parametrize(
    ("action", "printed"), [("ignore", 0), ("once", 1), ("default", 1), ("always", 3), ("error", 0)]
)
def test_the_filters_of_the_user_decide(action: str, printed: int, caplog: pytest.LogCaptureFixture) -> None:
    shown: list[str] = []
    with warnings.catch_warnings():
        warnings.filterwarnings(action, category=PolarMonitorWarning)  # type: ignore[arg-type]
        warnings.showwarning = lambda message, *_, **__: shown.append(str(message))
        before = warnings.filters[:]
        for _ in range(3):
            warn(f"the message under {action}")
        assert warnings.filters == before
    assert len(shown) == printed
    assert len(caplog.messages) == (3 if action == "error" else 0)


def test_the_text_of_an_exception_may_fail() -> None:
    class UnreadableError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    assert describe(UnreadableError()) == "UnreadableError without a readable message"
    assert describe(KeyError("a")) == "KeyError: 'a'"


@pytest.mark.parametrize(
    ("before", "printed"),
    [
        ("pass", "the line\n"),
        ("logging.getLogger('polar_monitor').setLevel('WARNING')", ""),
        ("logging.getLogger('polar_monitor').addHandler(logging.NullHandler())", ""),
        ("logging.basicConfig()", ""),
        ("logging.basicConfig(level='INFO')", "INFO:polar_monitor:the line\n"),
        ("logging.disable()", ""),
        ("sys.stderr = None", ""),
        ("sys.stderr.close()", ""),
    ],
)
def test_an_announcement_is_shown_unless_logging_says_otherwise(before: str, printed: str) -> None:
    code = f"import logging, sys; from polar_monitor.errors import announce; {before}; announce('the line')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", printed)
