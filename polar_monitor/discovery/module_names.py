"""The role that a module's name states: a mean, a spread in some unit, or none.

The words of a name are its role ("mu", "log_var") and its stem, which is all the others: "z_mean" and "z_log_var" have
one stem, "z".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from .vocabulary import MEAN_MODULES, NEUTRAL_WORDS, OTHER_PARTS, POSTERIOR_WORDS, SPREAD_MODULES

NAMES = 1024
"""Names whose role is kept."""


@dataclass(frozen=True)
class Role:
    """The role that a name states."""

    kind: str | None
    """"mean", or the unit of a spread; None for a spread whose unit the name does not settle."""
    stem: tuple[str, ...]

    @property
    def is_plain(self) -> bool:
        """True if the rest of the name does not point to another variable."""
        return set(self.stem) <= NEUTRAL_WORDS


@lru_cache(NAMES)
def role(name: str) -> Role | None:
    """Return the role of the module with this name; None if the name states none, or more than one."""
    words = _words(name.rpartition(".")[2])
    roles = []
    start = 0
    while start < len(words):
        for stop in range(len(words), start, -1):  # the longest run of words first: "log", "var" before "var"
            word = "".join(words[start:stop])
            if word in MEAN_MODULES or word in SPREAD_MODULES:
                kind = "mean" if word in MEAN_MODULES else SPREAD_MODULES[word]
                roles.append(Role(kind, tuple(words[:start] + words[stop:])))
                start = stop
                break
        else:
            start += 1
    return roles[0] if len(roles) == 1 else None


@lru_cache(NAMES)
def is_other_part(name: str) -> bool:
    """Return True if the module, or one around it, is named as a decoder, a prior or another part of that kind."""
    for part in name.split("."):
        words = set(_words(part))
        if words & OTHER_PARTS and not words & POSTERIOR_WORDS:
            return True
    return False


def parent(name: str) -> str:
    """Return the name of the module around a module; '' at the top."""
    return name.rpartition(".")[0]


def last(name: str) -> str:
    """Return the last part of a module's name."""
    return name.rpartition(".")[2]


def _words(part: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", part)]
