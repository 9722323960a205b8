"""Promises of `kernels/_jit.py` for every kernel, and the same results without the compiler."""

import gc
import importlib
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from numba import types
from numba.core.registry import cpu_target

import polar_monitor.kernels._jit as jit
from polar_monitor.kernels.crc32c import crc32c
from polar_monitor.statistics.precompile import compile_kernels

ROOT = Path(__file__).resolve().parents[2]
KERNELS = ROOT / "kernels"
FILES = {".".join(path.relative_to(KERNELS).with_suffix("").parts): path for path in KERNELS.rglob("*.py")}
ALL = sorted(FILES.keys() - {"_jit"})
COMPILED = {name for name in ALL if "@kernel(" in FILES[name].read_text()}

# The kernels without the package around them, so that a fresh interpreter need not load torch.
ALONE = f"""
import sys, types
package = types.ModuleType("polar_monitor")
package.__path__ = [{str(ROOT / "polar_monitor")!r}]
sys.modules["polar_monitor"] = package
"""

EXERCISE = """
import numpy as np
import pickle, sys
from polar_monitor.statistics.windowed_histogram import WindowedHistogram
from polar_monitor.kernels import copula, knn_1d, mixture, moments, negentropy, posterior, published, repeats, valley
from polar_monitor.kernels.joint import joint
from polar_monitor.kernels.judging import follow, labels
from polar_monitor.statistics.stream import LatentStream

def exercise():
    rng = np.random.default_rng(0)
    x = (10.0 ** rng.uniform(-6, 6, (4, 1)) * rng.normal(size=(4, 300))).astype(np.float32)
    x[0, 3], x[1, 5], x[1, 6], x[2, 50], x[3] = np.nan, np.inf, -np.inf, 1e30, 0.1
    x[2, :20] = 1e-42
    found = []
    for rows in (300, 1, 0):
        part = np.ascontiguousarray(x[:, :rows])
        histogram = WindowedHistogram(4, bins=32, panes=2, pane_rows=70)
        histogram.update(part)
        histogram.update_rows(np.ascontiguousarray(part.T))
        histogram.merge(histogram.__class__(4, bins=32, panes=2))
        state = histogram.state_dict()
        found += [state[name] for name in ("counts", "exponent", "low", "high", "extremes", "tallies")]
        found += list(histogram.entropy())
        for one in histogram.draw(8):
            found += [np.array([one.left, one.width]), one.counts]
        count, mean, m2 = np.zeros(4, np.int64), np.zeros(4), np.zeros(4)
        moments.update(count, mean, m2, part)
        moments.merge(count, mean, m2, count.copy(), mean + 1, m2.copy())
        found += [count, mean, m2]
        variance = np.abs(part) + np.float32(0.1)
        for group in (None, np.arange(rows, dtype=np.int32) // 4):
            found += [posterior.posterior(part, rest, group, np.zeros(4), np.ones(4)) for rest in (variance, None)]
            ids = np.zeros(0, np.int32) if group is None else group
            found.append(valley.valley(part, variance, np.ones(4), ids, 0.05, np.arange(4)))
    rng = np.random.default_rng(1)
    cluster, every = np.arange(96, dtype=np.int64) // 4, np.arange(6)
    whole = np.ascontiguousarray(rng.normal(size=(6, 96)), np.float32)
    whole[1], whole[2] = 0.1, np.round(4 * whole[2]) / 4
    whole[3, :5] = 1e30, -1e30, 1e-42, 0.0, -0.0
    whole[4] = np.maximum(whole[4], 0) * np.float32(1e-3)
    spread = np.exp(rng.normal(size=(6, 96))).astype(np.float32)
    spread[2], spread[4] = 1e-12, 0.5
    found.append(published.baselines(whole, spread, np.full(6, 96), np.zeros(6), np.ones(6)))
    found.append(valley.valley(whole, spread, np.full(6, 1.5), np.zeros(0, np.int32), 0.05, every))
    for ids in (None, cluster):
        group = None if ids is None else ids.astype(np.int32)
        found.append(posterior.posterior(whole, spread, group, np.zeros(6), np.ones(6)))
        for repeated in (whole, np.tile(whole[:, :24], 4)):
            for rest in (spread, None):
                found.append(np.array(repeats.occurrences(repeated, rest, every, np.full(6, 9.0), 0.1, group)))
        found += knn_1d.entropy(whole, ids)
        found += knn_1d.estimate(whole, dependent=ids is None)
        found += negentropy.negentropy(whole, ids)
        found += knn_1d.entropy(whole[:, :12].copy(), None if ids is None else ids[:12], 11, 7)
        found += mixture.information(whole, spread, ids)
        found += mixture.resolved(whole, np.full(6, 0.3), ids)
    for rest in (spread, None):
        stream = LatentStream(6, window=512, has_variance=rest is not None)
        stream.update(np.tile(whole, 4).T.copy(), None if rest is None else np.tile(rest, 4).T.copy())
        light = stream.snapshot(0, full=False)
        found += [value for value in vars(light).values() if isinstance(value, np.ndarray)] + [np.array(light.repeats)]
    found.append(published.baselines(whole, None, np.full(6, 96), np.zeros(6), np.ones(6)))
    found.append(np.array(copula.copula_entropy(whole[[0, 3, 5]])))
    found.append(np.array(joint.joint(whole[[0, 3, 5]])[:5]))
    numbers, codes = rng.uniform(0, 1, (15, 6)), np.empty((2, 6), np.uint8)
    sides, evidence, earlier = np.zeros(6, np.uint8), np.zeros((3, 6)), numbers[2:4].copy()
    cuts = (1.96, 3.0, 0.05, 0.15, 0.02, 0.05, 0.85, 0.5, 0.1, 3.29, 1.0, 7.6, 0.1)
    for share in (0.0, 0.5):
        found += [np.array(labels.label(numbers, True, cuts, share, earlier, share, sides, evidence, codes))]
        found += [codes.copy(), sides.copy(), evidence.copy()]
    used, counts, new = numbers[6] > 0.5, np.ones((4, 6)), (np.empty((4, 6)), np.empty((4, 6)))
    used_now, limits = np.empty(6, np.bool_), (1.96, 0.35, 0.002, 0.5, 1.2, 25.0, 50.0)
    rows = numbers[:2], numbers[2], numbers[3], numbers[4] > 0.2, numbers[7:11], counts, used
    found += [np.array(follow.follow(*rows, limits, *new, used_now)), *new, used_now]
    return found
"""


def run(code: str, *, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=os.environ | environment, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    return done


def exercised() -> list[np.ndarray]:
    scope: dict[str, object] = {}
    exec(EXERCISE, scope)
    return scope["exercise"]()  # type: ignore[operator]


@pytest.fixture(scope="module")
def kernels() -> list[object]:
    """numba's dispatcher of every kernel."""
    for name in ALL:
        importlib.import_module(f"polar_monitor.kernels.{name}")
    return [kernel.compile() for kernel in jit.KERNELS]


def test_every_file_of_kernels_is_known_and_compiled(kernels):
    assert {kernel.py_func.__module__.removeprefix("polar_monitor.kernels.") for kernel in kernels} == COMPILED
    for kernel, compiled in zip(jit.KERNELS, kernels, strict=True):
        assert compiled.signatures, kernel
        assert kernel.compile() is kernel.compiled is compiled


def test_import_compiles_nothing():
    code = ALONE + "import importlib, polar_monitor.kernels._jit as jit\n"
    code += "".join(f"importlib.import_module('polar_monitor.kernels.{name}')\n" for name in ALL)
    code += "print(len(jit.KERNELS), [kernel.__name__ for kernel in jit.KERNELS if kernel.compiled is not None])"
    assert run(code).stdout.split(maxsplit=1)[1].strip() == b"[]"


def test_every_kernel_follows_the_policy(kernels):
    for kernel in kernels:
        options = kernel.targetoptions
        assert options["nogil"] is True, kernel
        assert options["error_model"] == "numpy", kernel
        assert not options.get("parallel"), kernel
        assert not options.get("fastmath"), kernel


def test_helpers_return_no_arrays(kernels):
    """They count no references to them. Helpers of kernels that come from the cache have no signature."""
    for name in COMPILED:
        for value in vars(importlib.import_module(f"polar_monitor.kernels.{name}")).values():
            for signature in getattr(value, "nopython_signatures", ()):
                returned = signature.return_type
                assert not isinstance(returned, types.Array), value
                assert not any(isinstance(part, types.Array) for part in getattr(returned, "types", ())), value


def test_a_helper_is_compiled_with_its_kernel_alone(monkeypatch):
    """What the host compiles afterwards is compiled as always."""
    monkeypatch.setattr(jit, "KERNELS", [])
    twice = jit.helper(lambda x: 2.0 * x)
    double = jit.kernel("float64(float64)")(lambda x: twice(x))
    assert double(1.5) == 3.0
    codegen = cpu_target.target_context.codegen()
    assert {"_library_class", "set_env"}.isdisjoint(vars(codegen))
    assert numba.njit(lambda x: twice(x) + np.empty(1).size)(2.0) == 5.0


def test_use_compiles_nothing(kernels):
    before = [list(kernel.signatures) for kernel in kernels]
    exercised()
    assert [list(kernel.signatures) for kernel in kernels] == before
    assert len(kernels) == len(set(kernels)) >= len(COMPILED)


def test_other_types_are_an_error_not_a_compilation():
    with pytest.raises(TypeError, match="No matching definition"):
        crc32c(np.zeros(3))


@pytest.mark.parametrize(
    "error", [RuntimeError("cannot cache function: no locator available"), OSError(28, "disk full")]
)
def test_without_a_cache_it_is_compiled_all_the_same(monkeypatch, error):
    original, seen = numba.njit, []

    def failing(*args, **options):
        if "no_cfunc_wrapper" in options:  # numba's start makes functions too
            seen.append(options.get("cache", False))
        if options.get("cache"):
            raise error
        return original(*args, **options)

    monkeypatch.setattr(numba, "njit", failing)
    monkeypatch.setattr(jit, "KERNELS", [])
    double = jit.kernel("float64(float64)")(lambda x: 2.0 * x)
    assert double(1.5) == 3.0
    assert seen == [True, True, False]  # load, compile with a cache, compile without
    assert len(jit.KERNELS) == 1
    assert jit.KERNELS[0] is double
    assert double.compiled.targetoptions["nogil"] is True


LOADS = (
    ALONE
    + """
import numpy as np
from polar_monitor.kernels.crc32c import crc32c
print(crc32c.load(), crc32c(np.frombuffer(b"123456789", np.uint8).copy()), "numba.np.arraymath" in sys.modules)
"""
)


def test_a_cached_kernel_is_loaded_without_the_compiler(tmp_path):
    assert run(LOADS, NUMBA_CACHE_DIR=str(tmp_path)).stdout.split() == [b"False", b"3808858755", b"True"]
    version = tuple(map(int, numba.__version__.split(".")[:2]))
    quick = jit.KNOWN_VERSIONS[0] <= version <= jit.KNOWN_VERSIONS[1]
    loaded = [b"True", b"3808858755", b"False"] if quick else [b"False", b"3808858755", b"True"]
    assert run(LOADS, NUMBA_CACHE_DIR=str(tmp_path)).stdout.split() == loaded


@pytest.mark.parametrize("damaged", ["*.nbc", "*.nbi"])
def test_a_damaged_cache_is_no_failure(tmp_path, damaged):
    run(LOADS, NUMBA_CACHE_DIR=str(tmp_path))
    files = list(tmp_path.rglob(damaged))
    assert files
    for file in files:
        file.write_bytes(b"")
    assert run(LOADS, NUMBA_CACHE_DIR=str(tmp_path)).stdout.split() == [b"False", b"3808858755", b"True"]


def test_numba_still_compiles_after_a_kernel_was_loaded(tmp_path):
    code = LOADS + "import numba\nassert numba.njit(lambda x: np.sort(x).sum())(np.ones(4)) == 4.0"
    for _ in range(2):
        run(code, NUMBA_CACHE_DIR=str(tmp_path))


def test_no_writable_place_for_a_cache(tmp_path):
    copy = tmp_path / "polar_monitor" / "kernels"
    copy.mkdir(parents=True)
    for name in ("_jit", "crc32c"):
        shutil.copy(KERNELS / f"{name}.py", copy)
    # a file where a folder is wanted: not even an administrator can write below it
    (copy / "__pycache__").write_text("")
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    code = f"""
import sys, types
sys.dont_write_bytecode = True
package = types.ModuleType("polar_monitor")
package.__path__ = [{str(copy.parent)!r}]
sys.modules["polar_monitor"] = package
import numpy as np
from polar_monitor.kernels.crc32c import crc32c
print(crc32c(np.frombuffer(b"123456789", np.uint8).copy()), type(crc32c.compiled._cache).__name__)
"""
    nowhere = str(blocked / "below")
    done = run(code, HOME=nowhere, XDG_CACHE_HOME=nowhere, NUMBA_CACHE_DIR=nowhere, IPYTHONDIR=nowhere)
    assert done.stdout.split() == [b"3808858755", b"NullCache"]


def test_the_compiler_changes_no_answer():
    code = ALONE + EXERCISE + "sys.stdout.buffer.write(pickle.dumps(exercise()))"
    interpreted = pickle.loads(run(code, NUMBA_DISABLE_JIT="1").stdout)
    compiled = exercised()
    assert len(compiled) == len(interpreted)
    for ours, plain in zip(compiled, interpreted, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-12, atol=1e-300)


@pytest.mark.slow
def test_no_access_is_out_of_bounds(tmp_path):
    run(ALONE + EXERCISE + "exercise()", NUMBA_BOUNDSCHECK="1", NUMBA_CACHE_DIR=str(tmp_path))


def test_bounds_are_indeed_checked_there(tmp_path):
    code = ALONE + (
        "import numpy as np\nfrom polar_monitor.kernels.valley import valley\n"
        "rows, none = np.ones((2, 4), np.float32), np.zeros(0, np.int32)\n"
        "try:\n    valley(rows, rows, np.ones(2), none, 0.05, np.arange(3))\n"
        "except IndexError:\n    print('caught')"
    )
    assert run(code, NUMBA_BOUNDSCHECK="1", NUMBA_CACHE_DIR=str(tmp_path)).stdout.strip() == b"caught"


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(enabled):
    was = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        compile_kernels()
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()


def test_the_folder_hides_no_other_package_of_its_name(tmp_path):
    assert not (KERNELS / "__init__.py").exists()
    other = tmp_path / "kernels"
    other.mkdir()
    (other / "__init__.py").write_text("owner = 'another project'\n")
    code = f"import sys; sys.path.append({str(tmp_path)!r}); import kernels; print(sys.path[0] == '', kernels.owner)"
    assert run(code, PYTHONPATH="").stdout.split(maxsplit=1) == [b"True", b"another project\n"]


def test_kernels_know_only_numpy_numba_and_math():
    code = (
        ALONE + "import importlib\n" + "".join(f"importlib.import_module('polar_monitor.kernels.{n}')\n" for n in ALL)
    )
    code += "print(sorted({'torch', 'tensorboard', 'sklearn', 'rich'} & set(sys.modules)))"
    assert run(code, NUMBA_DISABLE_JIT="1").stdout.strip() == b"[]"
