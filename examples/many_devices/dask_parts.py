"""Classify latents in a Dask array on a cluster: one part a chunk, merged in a tree. Needs the extra `dask`."""

import numpy as np

import polar_monitor
from polar_monitor.offline import Partial


def part(mean, variance, first):
    """Return the part of one chunk of rows."""
    return Partial().update(np.asarray(mean), var=np.asarray(variance), first=first)


def merge(parts):
    """Return one part of several."""
    return Partial().merge(*parts)


def main(rows: int = 100_000, workers: int = 4) -> None:
    import dask
    import dask.array as da
    from dask.distributed import Client, LocalCluster

    rng = da.random.default_rng(0)
    mean = rng.normal(size=(rows, 10), chunks=(10_000, 10)).astype("f4") * da.from_array([1.0] * 3 + [0.01] * 7)
    variance = da.from_array(np.float32([0.02] * 3 + [1.0] * 7))[None, :] + da.zeros_like(mean)
    with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
        starts = np.cumsum((0, *mean.chunks[0]))
        sides = zip(mean.to_delayed()[:, 0], variance.to_delayed()[:, 0], starts[:-1], strict=True)
        parts = [dask.delayed(part)(m, v, int(first)) for m, v, first in sides]
        while len(parts) > 1:
            parts = [dask.delayed(merge)(parts[i : i + 8]) for i in range(0, len(parts), 8)]
        regime = parts[0].compute().result()
        print(regime)
        same = polar_monitor.classify(mean.compute(), var=variance.compute())
    print("equal to one process:", np.array_equal(regime.snapshot.information, same.snapshot.information))


if __name__ == "__main__":
    main()
