"""Names and texts may come from a foreign log, archive or model: on no way out do they act on a terminal or hide."""

from __future__ import annotations

import io
import json
import logging
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from models import Vae
from records import make_alert, make_evaluation
from rich.console import Console
from tensorboard.compat.proto.event_pb2 import Event
from watching import Memory

import polar_monitor
from polar_monitor import PolarMonitorError
from polar_monitor.cli import main
from polar_monitor.errors import describe, log_line, printable, warn
from polar_monitor.evaluation import Evaluation
from polar_monitor.sinks.console import PlainConsole
from polar_monitor.sinks.console.live import LiveConsole
from polar_monitor.sinks.jsonl import to_line
from polar_monitor.sinks.tensorboard.values import EvaluationValues

ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Categories of characters that move, hide or colour what stands beside them, or end a line."""
HOSTILE = st.text(
    st.one_of(
        st.sampled_from("\x1b\x07\x08\x9b\x7f\r\n\t\x00\u202e\u2066\u2028\u200b\ud800[]J;m"),
        st.characters(codec=None, categories=["Cc", "Cf", "Zl", "Zp", "L", "N"]),
    ),
    min_size=1,
    max_size=20,
)
TITLE = "\x1b]0;title\x07\x1b[2J\nverdict: fine\r\u202e"


def acting(text: str) -> set[str]:
    return {c for c in text if unicodedata.category(c) in ACTING} - {"\n"}


def record(word: str) -> Evaluation:
    alert = replace(make_alert(), message=word, name=word, mode=word, causes=(word,), advice=(word,))
    alert = replace(alert, evidence={word: 1.0})
    made = make_evaluation(name=word, mode=word, alerts=(alert,))
    assert made.regime is not None
    return replace(made, regime=replace(made.regime, reasons=(word,)))


def plain(word: str) -> str:
    stream = io.StringIO()
    sink = PlainConsole(stream=stream)
    sink.write(record(word))
    assert stream.getvalue().count("\n") == 2  # the evaluation, and its alert
    return stream.getvalue()


def live(word: str) -> str:
    stream = io.StringIO()
    sink = LiveConsole(terminal=Console(file=stream, width=400, force_terminal=False))
    sink.say(word)
    sink.write(record(word))
    sink.close()
    return stream.getvalue()


def log(word: str) -> str:
    stream, logger = io.StringIO(), logging.getLogger("polar_monitor")
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    try:
        log_line(logging.WARNING, "%s failed (%s)", word, describe(RuntimeError(word)))
    finally:
        logger.removeHandler(handler)
    return stream.getvalue()


def board(word: str) -> str:
    event = Event.FromString(b"")
    event.summary.ParseFromString(EvaluationValues(word, word).summary(record(word)))
    texts = [text.decode() for value in event.summary.value for text in value.tensor.string_val]
    assert len(texts) >= 2
    return "".join([*texts, *(value.tag for value in event.summary.value)])


def error(word: str) -> str:
    return str(PolarMonitorError(f"expected one, got {word}"))


def texts(word: str) -> str:
    made = record(word)
    assert made.regime is not None
    from polar_monitor.monitor.summary import summary

    return summary(made.snapshot, made.regime, made.alerts, made.health) + made.regime.explain()


WAYS: dict[str, Callable[[str], str]] = {
    "plain console": plain, "live console": live, "log": log, "TensorBoard": board, "error": error, "texts": texts
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@given(word=HOSTILE)
@example(word=TITLE)
def test_no_character_acts_on_its_way_out(way: str, word: str) -> None:
    assert not acting(WAYS[way](word))


@given(word=HOSTILE)
@example(word=TITLE)
@settings(suppress_health_check=list(HealthCheck), max_examples=20)
def test_no_character_of_a_foreign_file_reaches_the_terminal(
    word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = json.loads(to_line(record(word)).decode("utf-8", "surrogatepass"))
    for rules, rest in (({}, {}), ({word: 1}, {}), ({}, {word: 1}), ({"worth": word}, {})):
        setup = {"rules": rules, "extra_rules": [word]}
        (tmp_path / "polar.jsonl").write_text(json.dumps(line | {"setup": setup} | rest) + "\n")
        for options in ([], ["--json"]):
            main(["replay", str(tmp_path / "polar.jsonl"), *options])
    (tmp_path / "polar.jsonl").write_text(json.dumps({"version": word}) + "\n")
    main(["replay", str(tmp_path / "polar.jsonl")])
    (tmp_path / "rules.toml").write_text(f"{json.dumps(word)} = 1\n")
    main(["replay", str(tmp_path / "polar.jsonl"), "--rules", str(tmp_path / "rules.toml")])
    safe = word.encode("utf-8", "ignore").decode().replace("\x00", "")
    for arrays in ({safe: np.zeros((9, 2))}, {"mean": np.zeros((9, 2)), safe: np.zeros((9, 2))}):
        np.savez(tmp_path / "l.npz", **{key or "a": array for key, array in arrays.items()})
        main(["check", str(tmp_path / "l.npz")])
    done = capsys.readouterr()
    assert not acting(done.out + done.err)


def test_a_name_with_a_newline_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    monitor = polar_monitor.PolarMonitor(name=TITLE, sinks=[PlainConsole()], every=1, max_overhead=1.0)
    monitor.observe(np.full((600, 2), np.nan), var=np.ones((600, 2)))
    monitor.step()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert not acting("".join(lines))
    assert not acting(monitor.summary() + monitor.explain())


def test_names_of_modules_are_shown_and_do_not_act() -> None:
    class Named(Vae):
        def __init__(self) -> None:
            super().__init__()
            self.add_module("\x1b[2Jmu", self.fc_mu)
            self.add_module("\x1b[2Jlogvar", self.fc_logvar)
            del self._modules["fc_mu"], self._modules["fc_logvar"]

    sink = Memory()
    monitor = polar_monitor.attach(Named(), mean="\x1b[2Jmu", logvar="\x1b[2Jlogvar", sinks=(sink,))
    assert not acting(monitor.explain())
    with pytest.raises(PolarMonitorError) as caught:
        polar_monitor.attach(Named(), mean="\x1b[1m", sinks=())
    assert not acting(str(caught.value))


def test_a_warning_does_not_act() -> None:
    with pytest.warns(polar_monitor.PolarMonitorWarning) as caught:
        warn(f"found {TITLE}")
    assert not acting(str(caught[0].message))


def test_a_usual_text_stays_as_it_is() -> None:
    for text in ("σ² of 'fc_mu' ± 0.1 — 潜在变量", "two\nlines", "non-breaking\u00a0space"):
        assert printable(text) == text
    assert printable("two\nlines", keep="") == r"two\nlines"
