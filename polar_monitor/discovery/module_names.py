"""What a module's name says about its output: a mean, a spread in which unit, or nothing.

The words of a name are its role ("mu", "log_var") and its stem, all the others: "z_mean" and "z_log_var" have one stem.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .vocabulary import ELSEWHERE, MEANS, SPREADS, UNCLEAR, USUAL


@dataclass(frozen=True)
class Role:
    """What a name says. `kind` is a spread's unit, None where the name does not tell it, "mean" for a mean."""

    kind: str | None
    stem: tuple[str, ...]

    @property
    def usual(self) -> bool:
        """Whether the rest of the name means nothing else than the latent."""
        return set(self.stem) <= USUAL


def role(name: str) -> Role | None:
    """The role of the module with this name; None where the name has none, or more than one."""
    words = _words(name.rsplit(".", 1)[-1])
    found = []
    start = 0
    while start < len(words):
        for stop in range(len(words), start, -1):
            said = "".join(words[start:stop])
            if said in MEANS or said in SPREADS or said in UNCLEAR:
                kind = "mean" if said in MEANS else SPREADS.get(said)
                found.append(Role(kind, tuple(words[:start] + words[stop:])))
                start = stop
                break
        else:
            start += 1
    return found[0] if len(found) == 1 else None


def elsewhere(name: str) -> bool:
    """Whether a name, or that of a module around it, belongs to a decoder, a prior or their like."""
    for part in name.split("."):
        words = set(_words(part))
        if words & ELSEWHERE and not words & {"encoder", "enc", "posterior"}:
            return True
    return False


def _words(part: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", part)]
