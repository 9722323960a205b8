"""The console: plain lines anywhere, a live view with rich, and a clear error without it."""

from __future__ import annotations

import io
import sys
import threading
from dataclasses import replace

import pytest
from records import ACTIVE, MIXED, PASSIVE, UNDECIDED, make_alert, make_evaluation, make_run
from rich.console import Console

from polar_monitor.alerts.alert import AlertKind
from polar_monitor.sinks.console import PlainConsole, console, plain_line
from polar_monitor.sinks.console.live import ASCII_BARS, BARS, LiveConsole


def live(height: int = 40, total: int | None = 1000, encoding: str = "utf-8") -> tuple[LiveConsole, Console]:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    terminal = Console(file=file, record=True, width=100, height=height, force_terminal=True, color_system=None)
    return LiveConsole(total, terminal), terminal


def shown(view: LiveConsole, terminal: Console, **options: object) -> str:
    terminal.print(view.view(make_evaluation(**options)))  # type: ignore[arg-type]
    return str(terminal.export_text())


def test_a_plain_line_has_step_verdict_counts_nats_and_overhead() -> None:
    line = plain_line(make_evaluation(300, information=(2.0, 0.01, 0.5, 0.09), overhead=0.0042), 1000)
    assert " ".join(line.split()) == (
        "step 300/1000 polarised active 1 passive 1 mixed 1 undecided 1 2.600 nats overhead 0.4%"
    )
    assert line.isascii()


def test_plain_lines_name_the_latent_and_the_mode() -> None:
    assert "  z/eval  " in plain_line(make_evaluation(name="z", mode="eval"))
    assert plain_line(make_evaluation(empty=True)).endswith("nothing observed")


def test_plain_alerts_have_a_line_of_their_own() -> None:
    out = io.StringIO()
    sink = PlainConsole(None, out)
    sink.write(make_evaluation(alerts=(make_alert(100, 7),)))
    sink.flush()
    sink.close()
    assert out.getvalue().splitlines()[1].startswith("  FADING: dimension 7 is fading")


def test_the_view_shows_every_dimension_its_nats_label_trend_and_the_progress() -> None:
    view, terminal = live()
    for evaluation in make_run(30, 4):
        view.view(evaluation)
    text = shown(view, terminal, step=600, labels=(ACTIVE, PASSIVE, MIXED, UNDECIDED), information=(2, 0, 0.8, 0.1))
    for number, label, nats in ((0, "active", "2.000"), (1, "passive", "0.000"), (2, "mixed", "0.800")):
        row = next(line for line in text.splitlines() if line.split()[:2] == [str(number), label])
        assert row.split()[2] == nats
        assert set(row.split()[4]) <= set(BARS)
    assert "600/1000" in text
    assert "60%" in text
    assert "POLARISED" in text


def test_the_trend_is_not_blown_up_for_a_passive_dimension() -> None:
    view, _ = live()
    assert view._spark([0.001, 0.002, 0.001]) == BARS[0] * 3
    assert view._spark([0.0, 1.0, 2.0, float("nan")]) == BARS[0] + BARS[4] + BARS[7] + " "


def test_a_terminal_without_unicode_gets_ascii_bars() -> None:
    view, _ = live(encoding="ascii")
    assert set(view._spark([0.0, 1.0, 2.0])) <= set(ASCII_BARS)


def test_a_fading_dimension_is_marked_until_it_is_lost() -> None:
    view, terminal = live()
    labels = (ACTIVE,) * 3
    assert "out of use at about step 600" in shown(view, terminal, labels=labels, alerts=(make_alert(100, 2),))
    assert "out of use at about step 600" in shown(view, terminal, step=200, labels=labels)
    lost = make_alert(300, 2, AlertKind.LOST)
    assert "out of use at about" not in shown(view, terminal, step=300, labels=labels, alerts=(lost,))


def test_a_forecast_that_is_past_is_not_shown_as_one() -> None:
    view, terminal = live()
    labels = (ACTIVE,) * 3
    fading = make_alert(100, 2)
    fading = replace(fading, evidence={**fading.evidence, "from": 1.2})
    shown(view, terminal, labels=labels, information=(2, 2, 0.5), alerts=(fading,))
    past = shown(view, terminal, step=601, labels=labels, information=(2, 2, 0.5))
    assert "out of use at about" not in past
    assert "expected by step 600, still in use" in past
    assert "still in use" not in shown(view, terminal, step=700, labels=labels, information=(2, 2, 1.1))


def test_an_amended_alert_ends_the_forecast_of_what_has_recovered() -> None:
    view, terminal = live()
    labels, first = (ACTIVE,) * 3, make_alert(100, 2)
    first = replace(first, evidence={**first.evidence, "from": 2.0})
    shown(view, terminal, labels=labels, information=(2, 2, 1.0), alerts=(first,))
    later = {"from_1": 2.0, "forecast_1": 700.0}
    amended = replace(first, step=140, dimension=1, dimensions=(1, 2), amends=100, evidence=later)
    text = shown(view, terminal, step=140, labels=labels, information=(2, 1.0, 1.5), alerts=(amended,))
    assert "out of use at about step 700" in text
    assert "out of use at about step 600" not in text


def test_an_alert_that_amends_another_takes_its_line() -> None:
    view, terminal = live()
    first = replace(make_alert(100, 2), dimensions=(2,))
    shown(view, terminal, labels=(ACTIVE,) * 3, alerts=(first,))
    amended = replace(first, step=140, dimension=None, dimensions=(1, 2), amends=100)
    text = shown(view, terminal, step=140, labels=(ACTIVE,) * 3, alerts=(amended,))
    assert text.count("FADING") == 1
    assert "step 140 FADING (amends that of step 100)" in text


def test_more_dimensions_than_lines_shows_the_extremes() -> None:
    view, terminal = live(height=24)
    text = shown(view, terminal, labels=(ACTIVE,) * 100, information=[j / 50 for j in range(100)])
    numbers = [int(line.split()[0]) for line in text.splitlines() if line.split()[1:2] == ["active"]]
    assert numbers == [0, 1, 2, 3, 4, 95, 96, 97, 98, 99]


def test_it_draws_without_a_thread_and_names_an_evaluation_without_rows() -> None:
    before = threading.active_count()
    view, terminal = live(total=None)
    view.say("phase 1")
    view.write(make_evaluation(empty=True))
    view.write(make_evaluation())
    assert threading.active_count() == before
    view.flush()
    view.close()
    view.close()
    text = terminal.export_text()
    assert "phase 1" in text
    assert "nothing observed yet" in text


def test_without_a_terminal_lines_are_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(console(), PlainConsole)
    assert isinstance(console(headless=False), LiveConsole)
    monkeypatch.setitem(sys.modules, "polar_monitor.sinks.console.live", None)
    with pytest.raises(ImportError, match=r'pip install "polar-monitor\[console\]"'):
        console(headless=False)


def test_the_natural_line_gives_the_function() -> None:
    from polar_monitor import sinks
    from polar_monitor.sinks import console as natural

    assert natural is console is sinks.console
    assert isinstance(natural(10, headless=True), PlainConsole)
