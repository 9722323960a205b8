"""States of a latent dimension."""

import enum

from ..errors import PolarMonitorError


class Label(enum.StrEnum):
    """State of one latent dimension."""

    ACTIVE = "active"
    PASSIVE = "passive"
    MIXED = "mixed"
    UNDECIDED = "undecided"


INFORMATIVE_LABELS = (Label.ACTIVE, Label.MIXED)


def checked_label(label: str) -> Label:
    """Return the label of this name. Raises PolarMonitorError for an unknown one."""
    if label not in tuple(Label):
        raise PolarMonitorError(f"label: expected one of {', '.join(Label)}; got {label!r}")
    return Label(label)
