"""A monitor, its regime and its alerts show themselves: in one line, and in a notebook."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from models import Vae
from records import make_alert
from watching import Memory

import polar_monitor
from polar_monitor import PolarMonitor, classify
from polar_monitor.alerts.alerts import Alerts
from polar_monitor.monitor.shown import watching


def observed(monitor: PolarMonitor) -> PolarMonitor:
    for _ in range(2):
        torch.manual_seed(0)
        monitor.observe(
            torch.randn(600, 3) * torch.tensor([1.0, 1.0, 0.01]), logvar=torch.tensor([-4.0, -4.0, 0.0]).expand(600, 3)
        )
        monitor.step()
    return monitor


def test_a_monitor_is_one_line(tmp_path: Path) -> None:
    assert repr(PolarMonitor(sinks=())) == "PolarMonitor: step 0, nothing evaluated yet"
    monitor = observed(PolarMonitor(every=1, max_overhead=1.0, log_dir=tmp_path))
    assert repr(monitor).startswith("PolarMonitor: step 2, polarised, 2 of 3 in use, 4.")
    assert repr(monitor).endswith(f" nats, no alerts → {tmp_path}")
    assert "\n" not in repr(monitor)
    monitor.detach()


def test_a_monitor_in_a_notebook_has_its_lifelines_or_without_a_log_its_labels(tmp_path: Path) -> None:
    monitor = observed(PolarMonitor(every=1, max_overhead=1.0, log_dir=tmp_path))
    assert "2 of 3" in monitor._repr_html_()
    assert "<svg" in monitor._repr_html_()
    (tmp_path / "polar.jsonl").unlink()
    assert "cannot read" in monitor._repr_html_()
    monitor.detach()
    without = observed(PolarMonitor(every=1, max_overhead=1.0, sinks=()))
    assert "<b>active</b>" in without._repr_html_()
    assert "nothing evaluated yet" in PolarMonitor(sinks=())._repr_html_()


def test_a_regime_in_a_notebook_is_a_table_of_what_is_not_passive() -> None:
    torch.manual_seed(0)
    mean = torch.randn(1000, 40) * torch.tensor([1.0] * 2 + [0.001] * 38)
    text = classify(mean, var=torch.tensor([0.1] * 2 + [1.0] * 38).expand(1000, 40))._repr_html_()
    assert text.count("<tr>") == 3
    assert "38 passive" in text


def test_alerts_show_themselves_and_are_a_tuple() -> None:
    assert (repr(Alerts()), Alerts()) == ("()", ())
    many = Alerts(replace(make_alert(step), message="<i>") for step in range(100, 120))
    assert repr(many).splitlines()[0] == "4 older alerts"
    assert len(repr(many).splitlines()) == 17
    assert "<i>" not in many._repr_html_()
    assert "4 older alerts" in many._repr_html_()
    assert "No alert" in Alerts()._repr_html_()


def test_attach_says_in_one_line_what_is_watched_and_where_it_goes(tmp_path: Path) -> None:
    names = ("'fc_mu'", "'fc_logvar'")
    line = "PolarMonitor: watching fc_mu/fc_logvar, 10 dimensions"
    assert watching(names, 10, (), Path("runs/a")) == f"{line} -> runs/a; tensorboard --logdir runs"
    assert watching(names, 10, (), Path("a b")) == f"{line} -> a b; tensorboard --logdir 'a b'"
    assert watching(names, None, (), None) == "PolarMonitor: watching fc_mu/fc_logvar; nothing is written (sinks=())"
    assert (
        watching((), None, (Memory(),), None) == "PolarMonitor: looking for the latent in the first forwards -> Memory"
    )
    assert "\n" not in watching(("'a\nb'",), 1, (), None)


def test_attach_logs_its_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "polar_monitor"):
        polar_monitor.attach(Vae(), sinks=()).detach()
    assert caplog.messages[0].startswith("PolarMonitor: watching fc_mu/fc_logvar, ")
