"""One vocabulary: a word has one meaning, and a newcomer adds a name or a unit in two files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from polar_monitor.arrays.spread import ARGUMENTS, UNITS
from polar_monitor.discovery import vocabulary
from polar_monitor.discovery.vocabulary import MEAN_FIELDS, MEAN_KEYS, MEAN_MODULES, SPREAD_NAMES

ROOT = Path(__file__).parents[2]


def bare(name: str) -> str:
    """The word that a spelling stands for: without separators, prefix and plural."""
    word = name.removeprefix("z_").removeprefix("qz_").removeprefix("posterior_").replace("_", "")
    return word.removesuffix("s") if len(word) > 2 else word


def test_units_are_those_of_the_table_of_units() -> None:
    assert list(SPREAD_NAMES) == list(UNITS)
    assert set(vocabulary.SPREAD_KEYS) == set(ARGUMENTS)


def test_a_word_stands_for_one_unit_in_names_fields_and_keys() -> None:
    seen: dict[str, str] = {}
    for unit, names in SPREAD_NAMES.items():
        for word in {bare(name) for name in (*names.modules, *names.fields, *names.keys)}:
            assert seen.setdefault(word, unit) == unit
    means = {bare(name) for name in (*MEAN_MODULES, *MEAN_FIELDS, *MEAN_KEYS)}
    assert not means & seen.keys()


def test_only_units_in_logarithms_are_settled_by_the_name_of_a_module() -> None:
    """Much code calls the layer "fc_var" that gives log σ²; a name that says log is believed."""
    settled = {unit for unit, names in SPREAD_NAMES.items() if not names.module_may_differ}
    assert settled == {unit for unit in UNITS if unit.startswith("log")}


NEW_UNIT = """
UNITS["precision"] = Unit(
    variance=lambda spread, xp, out=None: xp.reciprocal(spread, out=out),
    rescaled=lambda spread, prior, xp: spread * prior,
)
"""
NEW_NAMES = '''    "precision": SpreadNames(modules=("precision",), fields=("precision", "lambda_q")),
}  # fmt: skip
"""Names of spreads by unit'''
PROGRAM = """
import torch, polar_monitor
from torch import nn
assert polar_monitor.__file__.startswith({root!r})

class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 2), nn.Linear(4, 2)
    def forward(self, x):
        return dict(centroid=self.a(x), lambda_q=self.b(x).exp())

def snapshot(model, forward, **arguments):
    monitor = polar_monitor.attach(model, every=1, max_overhead=1.0, sinks=(), strict=True, **arguments)
    forward(torch.randn(600, 4))
    torch.optim.SGD(model.parameters(), 0.0).step()
    return monitor

torch.manual_seed(0)
fields = nn.ModuleDict(dict(encoder=Encoder()))
forward = torch.compile(fields["encoder"], backend="eager", fullgraph=True)
for call in (fields["encoder"], forward):
    last = snapshot(fields, call, latent="encoder").snapshot()
    assert 0 < last.posterior_variance.min() < 10, last

names = nn.ModuleDict(dict(fc_centroid=nn.Linear(4, 2), fc_precision=nn.Linear(4, 2)))
nn.init.zeros_(names["fc_precision"].weight)
nn.init.constant_(names["fc_precision"].bias, 4.0)
monitor = snapshot(names, lambda x: [module(x) for module in names.values()])
assert "precision from 'fc_precision'" in monitor.explain()
assert monitor.snapshot().posterior_variance.tolist() == [0.25, 0.25]
style = nn.ModuleDict(dict(style_centroid=nn.Linear(4, 2), style_precision=nn.Linear(4, 2)))
assert 'precision="style_precision"' in polar_monitor.attach(style, sinks=()).explain()
"""


def test_a_new_name_and_a_new_unit_take_two_files(tmp_path: Path) -> None:
    """A newcomer's mean "centroid" and spread "precision" (1 / σ²): modules, fields, eager and compiled."""
    copy = tmp_path / "polar_monitor"
    shutil.copytree(ROOT / "polar_monitor", copy, ignore=shutil.ignore_patterns("__pycache__"))
    spread, words = copy / "arrays" / "spread.py", copy / "discovery" / "vocabulary.py"
    text = spread.read_text()
    assert "\nARGUMENTS = " in text
    spread.write_text(text.replace("\nARGUMENTS = ", f"{NEW_UNIT}\nARGUMENTS = "))
    text = words.read_text()
    assert '\n}  # fmt: skip\n"""Names of spreads by unit' in text
    text = text.replace('}  # fmt: skip\n"""Names of spreads by unit', NEW_NAMES)
    for place in ("MEAN_MODULES", "MEAN_FIELDS"):
        text = text.replace(f"{place} = (", f'{place} = ("centroid", ')
    words.write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    program = PROGRAM.format(root=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
