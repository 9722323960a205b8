"""The console: plain lines anywhere, a live view with rich, and a clear error without it."""

from __future__ import annotations

import io
import sys
import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import pytest
from records import ACTIVE, MIXED, PASSIVE, UNDECIDED, make_alert, make_evaluation, make_run
from rich.console import Console
from rich.progress import Progress

from polar_monitor.alerts.alert import AlertKind
from polar_monitor.sinks.console import PlainConsole, console, plain_line
from polar_monitor.sinks.console.live import ASCII_BARS, BARS, LiveConsole


def live(
    height: int = 40, total: int | None = 1000, encoding: str = "utf-8", width: int = 100
) -> tuple[LiveConsole, Console]:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    terminal = Console(file=file, record=True, width=width, height=height, force_terminal=True, color_system=None)
    return LiveConsole(total, terminal), terminal


def shown(view: LiveConsole, terminal: Console, **options: object) -> str:
    terminal.print(view.view(make_evaluation(**options)))  # type: ignore[arg-type]
    return str(terminal.export_text())


def test_a_plain_line_has_step_verdict_counts_nats_and_overhead() -> None:
    line = plain_line(make_evaluation(300, information=(2.0, 0.01, 0.5, 0.09), overhead=0.0042), 1000)
    assert " ".join(line.split()) == (
        "step 300/1000 polarised 1 active 1 passive 1 mixed 1 undecided 2.60 nats overhead 0.4%"
    )
    assert line.isascii()
    usual = make_evaluation(300, (ACTIVE, PASSIVE), information=(2.0, 0.01), overhead=0.0042)
    assert "1 active  1 passive  " in plain_line(usual, 100_000)
    assert len(plain_line(usual, 100_000)) <= 80


def test_a_large_share_in_the_first_second_is_said_as_seconds_of_the_start_allowance() -> None:
    first = make_evaluation(10, overhead=1.65)
    first = replace(first, health=replace(first.health, allowance_used=0.41, evaluations=2))
    view, terminal = live()
    terminal.print(view.view(first))
    for text in (plain_line(first), str(terminal.export_text())):
        assert "start allowance 0.41 s" in text
        assert "165" not in text
    later = replace(first, health=replace(first.health, overhead=0.0096))
    assert plain_line(later).endswith("overhead 1.0%")
    chosen = replace(first, health=replace(first.health, overhead=0.2))  # as with max_overhead=0.2
    assert plain_line(chosen).endswith("overhead 20.0%")
    alone = replace(first, health=replace(first.health, allowance_used=0.0, evaluations=1))
    assert plain_line(alone).endswith("overhead not known yet")


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
    for number, label, nats in ((0, "active", "2.000"), (2, "mixed", "0.800"), (3, "undecided", "0.100")):
        row = next(line for line in text.splitlines() if line.split()[:2] == [str(number), label])
        assert row.split()[2] == nats
        assert set(row.split()[4]) <= set(BARS)
    assert "600/1000" in text
    assert "60%" in text
    assert "POLARISED" in text
    assert "1 more, less than 0.001 nats, passive" in text


def test_all_trends_have_one_scale_and_noise_is_not_blown_up() -> None:
    view, terminal = live()
    text = shown(view, terminal, labels=(ACTIVE, ACTIVE), information=(2.0, 1.0))
    assert [line.split()[4] for line in text.splitlines() if "active  " in line][-2:] == [BARS[7], BARS[4]]
    view, terminal = live()
    text = shown(view, terminal, labels=(UNDECIDED,), information=(0.001,))
    assert text.split()[-1] == BARS[0]


def test_a_terminal_without_unicode_gets_ascii_bars() -> None:
    view, _ = live(encoding="ascii")
    assert set(view._spark([0.0, 1.0, 2.0], 2.0)) <= set(ASCII_BARS)


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("dimensions", [10, 512])
def test_a_narrow_terminal_shows_all_numbers_and_the_newest_alert_complete(width: int, dimensions: int) -> None:
    view, terminal = live(24, width=width)
    labels = [ACTIVE] * (dimensions // 2) + [PASSIVE] * (dimensions // 2)
    for step in range(100, 1300, 100):
        alerts = (replace(make_alert(step, step // 100 % 4), message=f"alert of step {step} " + "and more " * 8),)
        drawn = view.view(make_evaluation(step, labels, information=[1.234] * dimensions, bins=2, alerts=alerts))
    terminal.print(drawn)
    lines = [line.rstrip() for line in terminal.export_text().splitlines()]
    assert len(lines) <= 24
    assert max(map(len, lines)) <= width
    assert "…" not in " ".join(lines)
    assert " ".join(" ".join(lines).split()).endswith("and more (last healthy step 400)")
    assert "alert of step 1200" in " ".join(lines)
    assert sum(" 1.234 " in line for line in lines) >= 3


def test_a_fading_dimension_is_marked_until_it_is_lost() -> None:
    view, terminal = live()
    labels = (ACTIVE,) * 3
    assert "lost ≈ step 600, fading" in shown(view, terminal, labels=labels, alerts=(make_alert(100, 2),))
    assert "lost ≈ step 600, fading" in shown(view, terminal, step=200, labels=labels)
    lost = make_alert(300, 2, AlertKind.LOST)
    assert "lost ≈" not in shown(view, terminal, step=300, labels=labels, alerts=(lost,))


def test_a_forecast_that_is_past_is_not_shown_as_one() -> None:
    view, terminal = live()
    labels = (ACTIVE,) * 3
    fading = make_alert(100, 2)
    fading = replace(fading, evidence={**fading.evidence, "from": 1.2})
    shown(view, terminal, labels=labels, information=(2, 2, 0.5), alerts=(fading,))
    past = shown(view, terminal, step=601, labels=labels, information=(2, 2, 0.5))
    assert "lost ≈" not in past
    assert "due at 600, still in use" in past
    assert "still in use" not in shown(view, terminal, step=700, labels=labels, information=(2, 2, 1.1))


def test_an_amended_alert_ends_the_forecast_of_what_has_recovered() -> None:
    view, terminal = live()
    labels, first = (ACTIVE,) * 3, make_alert(100, 2)
    first = replace(first, evidence={**first.evidence, "from": 2.0})
    shown(view, terminal, labels=labels, information=(2, 2, 1.0), alerts=(first,))
    later = {"from_1": 2.0, "forecast_1": 700.0}
    amended = replace(first, step=140, dimension=1, dimensions=(1, 2), amends=100, evidence=later)
    text = shown(view, terminal, step=140, labels=labels, information=(2, 1.0, 1.5), alerts=(amended,))
    assert "lost ≈ step 700, fading" in text
    assert "lost ≈ step 600" not in text


def test_an_alert_that_amends_another_takes_its_line() -> None:
    view, terminal = live()
    first = replace(make_alert(100, 2), dimensions=(2,))
    shown(view, terminal, labels=(ACTIVE,) * 3, alerts=(first,))
    amended = replace(first, step=140, dimension=None, dimensions=(1, 2), amends=100)
    text = shown(view, terminal, step=140, labels=(ACTIVE,) * 3, alerts=(amended,))
    assert text.count("FADING") == 1
    assert "step 140 FADING (amends that of step 100)" in text


def test_alerts_stand_in_the_order_of_their_steps_the_newest_last() -> None:
    view, terminal = live()
    first, drain = replace(make_alert(100, 2), dimensions=(2,)), make_alert(120, None, AlertKind.DRAIN)
    shown(view, terminal, labels=(ACTIVE,) * 3, alerts=(first, drain))
    amended = replace(first, step=140, dimension=None, dimensions=(1, 2), amends=100)
    lines = shown(view, terminal, step=140, labels=(ACTIVE,) * 3, alerts=(amended,)).splitlines()
    assert [line.split()[1] for line in lines if line.startswith("step 1") and ":" in line] == ["120", "140"]


def test_more_dimensions_than_lines_shows_those_with_most_nats() -> None:
    view, terminal = live(height=16)
    text = shown(view, terminal, labels=(ACTIVE,) * 100, information=[j / 50 for j in range(100)])
    numbers = [int(line.split()[0]) for line in text.splitlines() if line.split()[1:2] == ["active"]]
    assert numbers == [99, 98, 97, 96, 95, 94, 93, 92, 91, 90]
    assert "90 more, 1.780 nats or less: 90 in use" in text


class Bar:
    """Stands for a bar of tqdm."""

    disable = False
    lines: ClassVar[list[str]] = []

    @classmethod
    def write(cls, line: str) -> None:
        cls.lines.append(line)


def test_beside_a_bar_of_tqdm_it_prints_lines_and_ends_on_the_view(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.std", SimpleNamespace(tqdm=Bar))
    monkeypatch.setattr(Bar, "_instances", [Bar()], raising=False)
    view, terminal = live()
    view.write(make_evaluation(100, alerts=(make_alert(100, 2),)))
    assert [line.split()[:2] for line in Bar.lines] == [["step", "100/1000"], ["step", "100"]]
    assert terminal.export_text(clear=False) == ""
    view.close()
    assert "POLARISED" in terminal.export_text()


def test_beside_a_bar_of_rich_it_prints_lines_and_also_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    view, terminal = live()
    own = Console(file=io.StringIO(), record=True, width=100, force_terminal=True, color_system=None)
    monkeypatch.setattr("rich.get_console", lambda: own)
    with Progress(console=own, auto_refresh=False):
        view.write(make_evaluation(100))
        assert "step    100/1000" in own.export_text()
        assert terminal.export_text(clear=False) == ""
    view.write(make_evaluation(200))
    assert "step    200/1000" in own.export_text()
    view.close()
    assert terminal.export_text().startswith("step 200/1000")


def test_it_begins_before_the_kernels_are_compiled() -> None:
    view, terminal = live()
    view.begin("", {})
    assert "preparing the kernels" in terminal.export_text()
    view.close()


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
    with pytest.raises(ImportError, match="pip install rich"):
        console(headless=False)


def test_the_natural_line_gives_the_function() -> None:
    from polar_monitor import sinks
    from polar_monitor.sinks import console as natural

    assert natural is console is sinks.console
    assert isinstance(natural(10, headless=True), PlainConsole)
