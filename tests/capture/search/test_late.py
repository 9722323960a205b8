"""The question that a search ends with if the data have not decided."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from polar_monitor.capture.search.late import _question
from polar_monitor.capture.search.outcome import Given

CODE = SimpleNamespace(mean=SimpleNamespace(module="drop"), evidence="'beta' takes it")
HEADS = "found 'mean' and 'logvar', but …:\n    attach(model, mean=\"mean\", logvar=\"logvar\")"


def asked(question: str, remarks: list[str], code: Any = None) -> str:
    judge: Any = SimpleNamespace(ranked=lambda: [], remarks=remarks)
    codes: Any = SimpleNamespace(best=lambda: code, reason="no tensor is narrow", is_explained=False)
    return _question(Given(None, question), judge, codes, 50, ())


def test_heads_that_names_show_stay_beside_a_code() -> None:
    """As in a topic model: modules take a softmax of the sample, never the sample."""
    text = asked(HEADS, [], CODE)
    assert text.index('attach(model, mean="drop")') < text.index("By the names: found 'mean' and 'logvar'")
    assert 'attach(model, mean="mean", logvar="logvar")' in text
    assert "By the names" not in asked("no latent was found by the names. Use one of: …", [], CODE)


@pytest.mark.parametrize(("remarks", "reason"), [([], "no tensor is narrow"), (["σ is the same"], "σ is the same")])
def test_one_reason_is_given(remarks: list[str], reason: str) -> None:
    assert f"for certain: {reason}. found" in asked(HEADS, remarks)


@pytest.mark.parametrize("question", [HEADS, ""])
@pytest.mark.parametrize(("reason", "end"), [("a policy?", "a policy?"), ("it is narrow", "it is narrow.")])
def test_a_reason_ends_with_one_mark(question: str, reason: str, end: str) -> None:
    """A reason may be a question; without a question of the names nothing follows it."""
    assert asked(question, [reason]).endswith(f"for certain: {end} {question}".strip())
    assert f"{end} If one of these" in asked(question, [reason], CODE)
