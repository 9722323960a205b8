"""Rules of third parties are found by their names, and refused if they cannot be used."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from custom_rules import Weak, custom, run

from polar_monitor import PolarMonitor, PolarMonitorError
from polar_monitor.alerts import registry
from polar_monitor.cli import main

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a module with this source, and the metadata of a package that offers rules in it, where Python looks."""

    def put(module: str, source: str, **names: str) -> None:
        site = tmp_path / f"site_{module}"
        (site / f"{module}-1.0.dist-info").mkdir(parents=True)
        (site / f"{module}.py").write_text(source)
        (site / f"{module}-1.0.dist-info" / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n"
        )
        points = "".join(f"{name} = {module}:{place}\n" for name, place in names.items())
        (site / f"{module}-1.0.dist-info" / "entry_points.txt").write_text(f"[polar_monitor.rules]\n{points}")
        monkeypatch.syspath_prepend(site)
        monkeypatch.delitem(sys.modules, module, raising=False)

    return put


OFFERED = """
from polar_monitor import rules
class Loud:
    def start(self):
        return 0
    def update(self, count, step, observed, snapshot, regime):
        return count + 1, [rules.alert(step, f"heard {count}")]
"""


def test_an_installed_rule_is_found_by_its_name(
    tmp_path: Path, install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("package_of_rules", OFFERED, loud="Loud", other="Nothing")
    assert main(["replay", "--list-rules"]) == 0
    assert capsys.readouterr().out == "loud  package_of_rules:Loud\nother  package_of_rules:Nothing\n"
    monitor = run(tmp_path / "run.jsonl", range(1, 3), extra_rules=["loud"])
    assert custom(monitor.alerts) == [(1, "loud: heard 0"), (2, "loud: heard 1")]
    assert main(["replay", str(tmp_path / "run.jsonl")]) == 0
    out, err = capsys.readouterr()
    assert "  step 2 CUSTOM: loud: heard 1" in out
    assert err == ""
    with pytest.raises(PolarMonitorError, match="package_of_rules:Nothing cannot be loaded: AttributeError"):
        PolarMonitor(sinks=(), extra_rules=["other"])


def test_an_installed_rule_that_cannot_be_imported_is_not_called_missing(
    tmp_path: Path, install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "run.jsonl"
    run(log, range(1, 3), extra_rules=[Weak()])
    install("package_that_fails", "import nothing_of_this_name", Weak="Weak")
    assert main(["replay", str(log)]) == 0
    (said,) = capsys.readouterr().err.splitlines()
    assert "rule 'Weak' is installed, but fails: " in said
    assert "package_that_fails:Weak cannot be loaded: ModuleNotFoundError: No module named" in said


def test_two_packages_may_not_offer_one_name(install: Install) -> None:
    install("package_one", OFFERED, loud="Loud")
    install("package_two", OFFERED, loud="Loud")
    with pytest.raises(PolarMonitorError, match=r"several of this name; .*loud \(package_one:Loud\)"):
        PolarMonitor(sinks=(), extra_rules=["loud"])


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("Weak", "expected a list of names or rules"),
        ([object()], "expected a rule with start"),
        (["nobody"], "no such entry point"),
        ([Weak(), Weak()], "expected every rule once"),
        (
            [type("Needy", (Weak,), {"__init__": lambda self, limit: None})],
            r"class without arguments, got Needy \(TypeEr",
        ),
        (
            [type("R", (Weak,), {"update": lambda self, a, b, c: (a, ())})],
            r"extra_rules: R\.update must take \(state, observation\), got \(a, b, c\)",
        ),
    ],
)
def test_rules_that_cannot_be_used(wanted: Any, said: str) -> None:
    with pytest.raises(PolarMonitorError, match=said):
        PolarMonitor(sinks=(), extra_rules=wanted)


def test_a_rule_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "rules_that_lie_here.py").write_text(OFFERED)
    (folder / "rules_that_exit.py").write_text("raise SystemExit(0)")
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.path", [place for place in sys.path if place])
    rule = registry.import_rule("rules_that_lie_here:Loud")
    run(folder / "run.jsonl", range(1, 4), extra_rules=[rule])
    assert main(["replay", "run.jsonl", "--extra", "rules_that_lie_here:Loud"]) == 0
    out, err = capsys.readouterr()
    assert "  step 3 CUSTOM: Loud: heard 2" in out
    assert err == ""
    for place, said in (
        ("Loud", "expected MODULE:NAME, as in my_rules:WeakTotal, got 'Loud'"),
        ("rules_that_lie_here:", "expected MODULE:NAME"),
        ("rules_that_lie_here:Quiet", "cannot be loaded: AttributeError"),
        ("nowhere_at_all:Quiet", "cannot be loaded: ModuleNotFoundError"),
        ("rules_that_exit:Quiet", "cannot be loaded: SystemExit"),
        ("rules_that_lie_here:rules", "expected a rule with start"),
    ):
        assert main(["replay", "run.jsonl", "--extra", place]) == 2
        assert said in capsys.readouterr().err
