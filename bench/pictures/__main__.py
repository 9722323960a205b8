"""`python -m bench.pictures`: trains runs (some six minutes), and takes the pictures of README and docs from them.

`--moving` makes the one that moves, `polarising.svg`, alone: it needs one run and no browser. `--views FOLDER` takes
every view of every run, wide and at 800 pixels, light and dark, to be looked at; `--figures` prints sizes and times of
the page for 512 dimensions and 2,000 evaluations.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
from pathlib import Path
from typing import Any

from polar_monitor.web.report import write_report

from .board import choose_tab, serve
from .chromium import chromium, open_page, save
from .figures import figures
from .moving import moving
from .training import CONSOLE, RUNS, train

SWEEP = ("beta=1", "beta=4", "beta=16")
PICTURES = (
    "polarising.svg", "demo.svg", "lifelines.png", "views.png", "lifelines-512.png", "runs.png", "tab.png",
    "hparams.png",
)  # fmt: skip
"""All pictures of README and docs that are not the result of another benchmark."""
IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"


def report(folders: list[Path], output: Path) -> str:
    """Write a report and return its address."""
    write_report(folders, output)
    return output.resolve().as_uri()


def moving_picture(demo: Path, images: Path) -> None:
    """Draw the picture that moves from the demo's run."""
    (images / "polarising.svg").write_text(moving(demo, RUNS["demo"].plan.at), encoding="utf-8")


def docs_pictures(browser: Any, folders: dict[str, Path], work: Path, images: Path) -> None:
    """Take the `PICTURES` of README and docs."""
    shutil.copyfile(folders["demo"] / CONSOLE, images / "demo.svg")
    moving_picture(folders["demo"], images)
    page = open_page(browser, report([folders["demo"]], work / "demo.html"), 1100)
    save(page, images / "lifelines.png", "h1", ".legend")
    page.locator(".row[data-dimension]").first.locator(".name").click()
    save(page, images / "views.png", ".pair", ".card.alerts")
    page = open_page(browser, report([folders["widest"]], work / "widest.html"), 1100)
    save(page, images / "lifelines-512.png", "h1", ".legend")
    page = open_page(browser, report([folders[name] for name in SWEEP], work / "sweep.html"), 1100)
    save(page, images / "runs.png", "h1", ".card.spectra")
    board = serve(work / "board", [folders["demo"]])
    page = open_page(browser, f"{board}#timeseries", 1100)
    choose_tab(page)
    next(frame for frame in page.frames if frame is not page.main_frame).wait_for_selector(".sentence")
    page.wait_for_timeout(1000)
    page.screenshot(path=images / "tab.png")
    page = open_page(browser, f"{serve(work / 'boards', [folders[name] for name in SWEEP])}#hparams", 1320)
    page.wait_for_timeout(6000)
    page.screenshot(path=images / "hparams.png", clip={"x": 0, "y": 0, "width": 1320, "height": 330})


def all_views(browser: Any, folders: dict[str, Path], work: Path, output: Path) -> None:
    """Take every report in both widths and themes."""
    urls = {name: report([folder], work / f"{name}.html") for name, folder in folders.items()}
    urls["sweep"] = report([folders[name] for name in SWEEP], work / "sweep.html")
    for name, url in urls.items():
        for width in (1280, 800):
            for dark in (False, True):
                page = open_page(browser, url, width, dark)
                save(page, output / f"{name}-{width}-{'dark' if dark else 'light'}.png")
                page.close()


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/pictures"), help="where the runs are, or are trained")
    parser.add_argument("--views", type=Path, metavar="FOLDER", help="take all views instead of the docs' pictures")
    parser.add_argument("--figures", action="store_true", help="print sizes and times instead")
    parser.add_argument("--moving", action="store_true", help="make the picture that moves alone")
    options = parser.parse_args()
    logging.getLogger("polar_monitor").addHandler(logging.NullHandler())
    if options.moving:
        moving_picture(train("demo", options.runs), IMAGES)
        return
    names = ["widest"] if options.figures else list(RUNS)
    folders = {name: train(name, options.runs) for name in names}
    with chromium() as browser:
        if options.figures:
            print(json.dumps(figures(browser, folders["widest"], options.runs), indent=2))
        elif options.views is not None:
            all_views(browser, folders, options.runs, options.views)
        else:
            docs_pictures(browser, folders, options.runs, IMAGES)


if __name__ == "__main__":
    main()
