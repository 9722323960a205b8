"""Arms of a comparison: the columns that a probe gets, and the permutation of some of them before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..regime.label import INFORMATIVE_LABELS, Label


class Arm(NamedTuple):
    """Columns that one probe sees."""

    columns: tuple[int, ...]
    shuffled: tuple[int, ...] = ()
    """Columns whose rows are permuted, all in the same way: their joint distribution stays, their information goes."""
    random: bool = False
    """True if the targets are permuted instead, which gives the score when there is nothing to learn."""


ARMS = ("active", "informative", "all", "passive", "shuffled", "random")
"""`informative`: active and mixed. `shuffled`: all, with the passive ones permuted. `random`: all, against permuted
targets."""


def arms_of(labels: Sequence[Label]) -> tuple[dict[str, Arm], dict[str, str]]:
    """Return the arms of these labels, and for each absent arm the reason."""
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
