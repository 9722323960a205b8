"""How time grows with rows, dimensions and bins, drawn beside the limit: docs/images/estimators-growth.svg."""

from pathlib import Path

import numpy as np

from polar_monitor.kernels import knn_1d
from polar_monitor.kernels.joint import joint as kernels
from polar_monitor.statistics.windowed_histogram import WindowedHistogram

from .. import timing

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "images" / "estimators-growth.svg"
Curves = dict[str, list[float]]


def table() -> str:
    """Draw the picture, and say how time grows at the far end of each curve."""
    parts = {
        "rows (32 dimensions)": ([10**2, 10**3, 10**4, 10**5, 10**6], _of_rows),
        "dimensions (joint, 10⁴ rows)": ([2, 3, 5, 6, 8, 10, 15, 20], _of_dimensions),
        "bins (update of 1024 × 128)": ([16, 64, 256, 1024, 4096], _of_bins),
    }
    found = {name: (sizes, _curves(sizes, measure)) for name, (sizes, measure) in parts.items()}
    _draw(found)
    rows = []
    for name, (sizes, curves) in found.items():
        for curve, times in curves.items():
            power = np.log(times[-1] / times[-2]) / np.log(sizes[-1] / sizes[-2])
            rows.append([name, curve, f"{1e3 * times[0]:.3g}", f"{1e3 * times[-1]:.3g}", f"{power:.2f}"])
    return timing.table(["grows with", "", "first, ms", "last, ms", "power at the end"], rows)


def _curves(sizes, measure) -> Curves:  # type: ignore[no-untyped-def]
    found: Curves = {}
    for size in sizes:
        for name, time in measure(size).items():
            found.setdefault(name, []).append(time)
    return found


def _of_rows(n: int) -> dict[str, float]:
    dimensions = 32 if n < 10**6 else 4
    x = np.random.default_rng(0).normal(size=(dimensions, n)).astype(np.float32)
    rows = x.T.copy()
    panes = WindowedHistogram(dimensions, panes=1)
    times = timing.medians(
        {
            "k-NN entropy": lambda: knn_1d.estimate(x),
            "for scale: numpy's sort": lambda: np.sort(x, axis=1),
            "histogram update": lambda: panes.update_rows(rows),
            "limit: one read": lambda: x.max(),
        },
        budget=0.2,
    )
    return {name: time * 32 / dimensions for name, time in times.items()}


def _of_dimensions(d: int) -> dict[str, float]:
    x = np.random.default_rng(0).normal(size=(d, 10_000)).astype(np.float32)
    return timing.medians({"joint entropy": lambda: kernels.joint(x)}, budget=0.2)


def _of_bins(bins: int) -> dict[str, float]:
    rows = np.random.default_rng(0).normal(size=(1024, 128)).astype(np.float32)
    panes = WindowedHistogram(128, bins, panes=1)
    return timing.medians(
        {"update": lambda: panes.update_rows(rows), "limit: one read": lambda: rows.max()}, budget=0.2
    )


def _draw(found: dict[str, tuple[list[int], Curves]]) -> None:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "growth"
    figure, axes = pyplot.subplots(1, len(found), figsize=(12, 3.6), constrained_layout=True)
    for axis, (name, (sizes, curves)) in zip(axes, found.items(), strict=True):
        for curve, times in curves.items():
            axis.loglog(sizes, np.array(times) * 1e3, "--" if ":" in curve else "o-", label=curve, markersize=3)
        axis.set(xlabel=name, ylabel="ms")
        axis.grid(alpha=0.3)
        if max(sizes) < 100:
            axis.set_xticks(sizes, [str(size) for size in sizes])
            axis.minorticks_off()
        axis.legend(fontsize=8)
    figure.savefig(PICTURE, metadata={"Date": None})
