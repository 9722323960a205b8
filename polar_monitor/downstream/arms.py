"""The arms of a comparison: which columns a probe is given, and what is done to them first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..regime.label import INFORMATIVE_LABELS, Label


class Arm(NamedTuple):
    """What one probe sees."""

    columns: tuple[int, ...]
    shuffled: tuple[int, ...] = ()
    """Those of them whose rows are permuted, all in the same way: their joint law stays, their information goes."""
    random: bool = False
    """Whether the targets are permuted instead: what the probe scores when there is nothing to learn."""


ARMS = ("active", "informative", "all", "passive", "shuffled", "random")
"""`informative`: active and mixed. `shuffled`: all, of which the passive ones are permuted. `random`: all, against
permuted targets."""


def arms_of(labels: Sequence[Label]) -> tuple[dict[str, Arm], dict[str, str]]:
    """The arms that there are, and why the others are absent."""
    active = _where(labels, Label.ACTIVE)
    informative = _where(labels, *INFORMATIVE_LABELS)
    passive = _where(labels, Label.PASSIVE)
    everything = tuple(range(len(labels)))
    arms = {"all": Arm(everything), "random": Arm(everything, random=True)}
    absent = {}
    for name, columns, lacking in (
        ("active", active, "active"),
        ("informative", informative, "active or mixed"),
        ("passive", passive, "passive"),
    ):
        if columns:
            arms[name] = Arm(columns)
        else:
            absent[name] = f"no dimension is {lacking}"
    if passive:
        arms["shuffled"] = Arm(everything, shuffled=passive)
    else:
        absent["shuffled"] = absent["passive"]
    return {name: arms[name] for name in ARMS if name in arms}, absent


def _where(labels: Sequence[Label], *wanted: Label) -> tuple[int, ...]:
    return tuple(j for j, label in enumerate(labels) if label in wanted)
