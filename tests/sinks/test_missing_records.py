"""Gaps between the running numbers of a log's records, against a count by a set."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from polar_monitor.sinks.missing_records import Numbered, missing_records, sentence_on


@given(st.integers(1, 40), st.sets(st.integers(0, 38)), st.integers(0, 20))
def test_each_number_without_a_record_is_missing(count: int, lost: set[int], before: int) -> None:
    every = [Numbered(before + 1 + i, 10 * i, before > 0 and i == 0) for i in range(count)]
    left = [record for i, record in enumerate(every) if i not in lost]
    numbers = {record.number for record in left}
    start = 1 if not left or not left[0].resumed else left[0].number
    slow = [number for number in range(start, max(numbers, default=0)) if number not in numbers]
    assert missing_records(reversed(left)).evaluations == len(slow)


def test_records_without_a_number_are_nobodys() -> None:
    assert missing_records([Numbered(0, 10, False), Numbered(0, 20, False)]) == (0, "")


def test_two_modes_share_the_numbers_and_a_gap_names_its_steps() -> None:
    missing = missing_records(Numbered(n, 10 * n, False) for n in (1, 2, 2, 5, 7, 9, 11))
    assert missing == (5, "between steps 20 and 50, between steps 50 and 70, between steps 70 and 90, and 1 more")
    assert sentence_on(missing, "prior").startswith("the log has lost 5 evaluations of 'prior' (between steps 20")
    assert sentence_on(missing_records([Numbered(2, 20, False)])).startswith("the log has lost 1 evaluation (before")
    assert sentence_on(missing_records([Numbered(1, 20, False)])) == ""
