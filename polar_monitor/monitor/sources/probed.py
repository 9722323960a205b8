"""The latest result of `monitor.probe(batch)`: shown by `summary` and `explain`, carried by the next evaluation."""

from __future__ import annotations

from dataclasses import replace

from ...evaluation import Evaluation
from ...intervention.report import explanation
from ...intervention.worth import Worth
from ...regime.regime import Regime


class Probed:
    """Keeps the latest worths of one monitor."""

    def __init__(self) -> None:
        self.latest: Worth | None = None
        self._is_new = False

    def keep(self, worth: Worth) -> None:
        """Keep a result for the texts, and for the next evaluation."""
        self.latest, self._is_new = worth, True

    def beside(self, evaluation: Evaluation) -> Evaluation:
        """Return an evaluation with the result that no evaluation has had yet, if there is one."""
        if self.latest is None or not self._is_new:
            return evaluation
        self._is_new = False
        return replace(evaluation, worth=self.latest.to_dict())

    def explain(self, regime: Regime, dimension: int) -> str:
        """Explain the label of a dimension, and its worth."""
        text = regime.explain(dimension)
        if self.latest is None or not 0 <= dimension < len(self.latest.worth):
            return text
        return f"{text}\n  {explanation(self.latest, dimension)}"
