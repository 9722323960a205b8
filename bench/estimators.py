"""Every estimator beside what people use instead, in one run: `python -m bench.estimators [SECTION …] [--write]`.

Sections: nearest, histogram, joint, information, accuracy, growth. All of them take about a quarter of an hour. Peers
that are not installed are left out (`bench/sections/peers.py` says how to install them). `--write` puts the tables into
docs/estimators.md and the pictures beside it. `--cpu` times the processor, for a machine that others use too.
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import re
import time
from collections.abc import Callable
from pathlib import Path

from . import joint, timing
from .sections import growth, histogram, information, nearest, precision

PAGE = Path(__file__).resolve().parents[1] / "docs" / "estimators.md"
SECTIONS: dict[str, Callable[[], str]] = {
    "nearest": nearest.table,
    "histogram": histogram.table,
    "joint": joint.table,
    "information": information.table,
    "accuracy": precision.table,
    "growth": growth.table,
}


def put(page: str, section: str, text: str) -> str:
    """The page with a section's text between its marks. Raises ValueError where there are none."""
    begin, end = f"<!-- bench: {section} -->", f"<!-- end: {section} -->"
    found = re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{text}\n{end}", page, flags=re.DOTALL)
    if begin not in page:
        raise ValueError(f"docs/estimators.md: expected the marks {begin} … {end}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--write", action="store_true", help="put the tables into docs/estimators.md")
    parser.add_argument("--cpu", action="store_true", help="time the processor, for a machine that others use too")
    arguments = parser.parse_args()
    if arguments.cpu:
        timing.clock = time.process_time
    unknown = set(arguments.sections) - SECTIONS.keys()
    if unknown:
        parser.error(f"expected sections of {', '.join(SECTIONS)}; got {', '.join(sorted(unknown))}")
    for section in arguments.sections or SECTIONS:
        text = SECTIONS[section]()
        print(f"\n## {section}\n\n{text}", flush=True)
        if arguments.write:
            PAGE.write_text(put(PAGE.read_text(encoding="utf-8"), section, text), encoding="utf-8")


if __name__ == "__main__":
    main()
