"""States of a latent dimension."""

import enum


class Label(enum.StrEnum):
    """State of one latent dimension."""

    ACTIVE = "active"
    PASSIVE = "passive"
    MIXED = "mixed"
    UNDECIDED = "undecided"


INFORMATIVE_LABELS = (Label.ACTIVE, Label.MIXED)
