"""`polar-monitor check`: labels of files, exit codes, and files that are broken or made to harm."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polar_monitor import PolarMonitorError, classify
from polar_monitor.cli import main
from polar_monitor.cli.arrays import npz, npz_keys
from polar_monitor.regime.regime import Regime
from polar_monitor.statistics.snapshot import Snapshot

DRAW = np.random.default_rng(0)
MEAN = (DRAW.normal(size=(2000, 3)) * [1.0, 0.01, 0.01]).astype(np.float32)
VAR = np.broadcast_to(np.array([0.02, 0.99, 1.01], np.float32), MEAN.shape)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    np.savez(tmp_path / "latents.npz", mu=MEAN, log_var=np.log(VAR), labels=np.arange(2000))
    return tmp_path / "latents.npz"


def collapsed(path: Path) -> Path:
    np.savez(path / "collapsed.npz", mean=0.01 * MEAN, var=np.ones_like(MEAN))
    return path / "collapsed.npz"


def test_the_table_is_for_people_and_goes_to_standard_output(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(file)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "2000 rows, 3 dimensions: polarised; 1 active, 2 passive"
    assert [line.split()[:2] for line in lines[-3:]] == [["0", "active"], ["1", "passive"], ["2", "passive"]]
    assert len({len(line) for line in lines[-4:]}) == 1


def test_json_is_what_classify_says(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(file), "--json", "--fail-on", "passive"]) == 1
    out, err = capsys.readouterr()
    said = json.loads(out)
    expected = classify(MEAN, logvar=np.log(VAR))
    snapshot = Snapshot.from_dict(said["snapshot"])
    assert Regime.from_dict(said["regime"], snapshot) == expected
    np.testing.assert_array_equal(snapshot.information, expected.snapshot.information)  # type: ignore[union-attr]
    assert said["keys"] == {"mean": "mu", "logvar": "log_var"}
    assert said["failed"] == ["passive"]
    assert err == "polar-monitor check: passive: polarised\n"


@pytest.mark.parametrize(
    ("conditions", "healthy", "dead"),
    [
        ([], 0, 0),
        (["collapse"], 0, 1),
        (["passive"], 1, 1),
        (["mixed"], 0, 0),
        (["undecided"], 0, 0),
        (["graded", "collapse"], 0, 1),
    ],
)
def test_exit_codes(conditions: list[str], healthy: int, dead: int, file: Path, tmp_path: Path) -> None:
    options = [word for condition in conditions for word in ("--fail-on", condition)]
    assert main(["check", str(file), *options]) == healthy
    assert main(["check", str(collapsed(tmp_path)), *options]) == dead


def test_what_cannot_be_judged_does_not_pass_a_gate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "few.npz", mean=MEAN[:10], var=VAR[:10])
    assert main(["check", str(tmp_path / "few.npz")]) == 0
    assert main(["check", str(tmp_path / "few.npz"), "--fail-on", "collapse"]) == 2
    assert "cannot be judged: only 10 independent rows" in capsys.readouterr().err


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
def test_however_it_is_stored_the_numbers_are_the_same(
    compressed: bool, order: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save = np.savez_compressed if compressed else np.savez
    with np.errstate(all="ignore"):
        save(tmp_path / "a.npz", z_mean=np.array(MEAN, order=order), sigma=np.array(np.sqrt(VAR), order=order))
    assert main(["check", str(tmp_path / "a.npz"), "--json"]) == 0
    snapshot = Snapshot.from_dict(json.loads(capsys.readouterr().out)["snapshot"])
    expected = classify(MEAN, std=np.sqrt(VAR)).snapshot
    np.testing.assert_array_equal(snapshot.information, expected.information)  # type: ignore[union-attr]


def test_an_npy_file_has_means_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "codes.npy", MEAN.astype(np.float64))
    assert main(["check", str(tmp_path / "codes.npy")]) == 0
    assert "no variance representation" in capsys.readouterr().out
    assert main(["check", str(tmp_path / "codes.npy"), "--var", "sigma2"]) == 2
    assert "an .npy file has no keys" in capsys.readouterr().err


def test_a_prior_of_each_row_standardises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    centre = DRAW.choice([-2.0, 2.0], (2000, 1)) * np.ones((1, 3))
    np.savez(tmp_path / "ivae.npz", mean=MEAN + centre, var=VAR, pm=centre, pv=np.ones_like(centre))
    path = str(tmp_path / "ivae.npz")
    assert main(["check", path, "--fail-on", "passive"]) == 0
    assert main(["check", path, "--prior", "pm", "pv", "--fail-on", "passive"]) == 1
    assert "1 active, 2 passive" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arrays", "options", "said"),
    [
        ({"a": MEAN, "b": VAR}, [], "expected a key for the means: pass --mean KEY, the file has a, b"),
        ({"mu": MEAN, "mean": MEAN}, [], "expected one mean, got mu, mean: pass --mean KEY"),
        (
            {"mu": MEAN, "var": VAR, "z_std": VAR},
            [],
            "expected one spread, got var, z_std: pass --var var or --std z_std",
        ),
        ({"mu": MEAN, "a": VAR, "b": VAR}, ["--var", "a", "--std", "b"], "expected one spread, got --var and --std"),
        ({"mu": MEAN, "var": VAR}, ["--var", "var", "--no-spread"], "got --var and --no-spread: pass one of them"),
        (
            {"mu": MEAN, "z_sd": VAR},
            [],
            "the means' shape (2000, 3) that may be it: z_sd: pass --var KEY, --std KEY, ",
        ),
        ({"mu": MEAN, "log_precision": VAR, "odd": VAR}, [], "may be it: log_precision, odd: pass --var KEY"),
        ({"code": MEAN, "spread": VAR}, ["--mean", "code"], "may be it: spread: pass"),
        ({"mu": MEAN[:, 0], "sd": VAR[:, 0]}, [], "the means' shape (2000,) that may be it: sd"),
        ({"mu": MEAN} | {f"odd{k}": VAR for k in range(30)}, [], "odd24 and 5 more: pass --var KEY"),
        ({"mu": MEAN, "var": VAR}, ["--mean", "nu"], "no key 'nu', the file has mu, var"),
        ({"mu": MEAN, "var": VAR}, ["--prior", "pm", "pv"], "no key 'pm'"),
        ({"mu": MEAN, "var": VAR[:9]}, [], "var: expected shape (2000, 3), got (9, 3)"),
        ({"mu": MEAN, "var": -VAR}, [], "pass it as --logvar KEY if it is log σ², as --logstd KEY if"),
        ({"mu": MEAN.astype(complex)}, [], "expected real numbers of at most 64 bits, got complex"),
        ({"mu": np.array(["a"])}, [], "expected real numbers"),
        ({"mu": np.zeros((0, 3))}, [], "expected shape (n, D) with n and D above 0, got (0, 3)"),
        ({"mu": np.array(1.0)}, [], "expected shape (n, D)"),
        ({"mu": MEAN}, ["--criterion", "sigma"], "criterion: expected one of"),
        ({}, [], "the file has no arrays"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arrays: dict[str, Any], options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    assert main(["check", str(tmp_path / "a.npz"), *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.startswith("polar-monitor check: ")
    assert err.count("\n") == 1


class Harm:
    """What would be run if anything were unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (Path.touch, (Path("harmed"),))  # type: ignore[return-value]


def npy(header: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


def zipped(content: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as archive:
        archive.writestr("mean.npy", content)
    return whole.getvalue()


GOOD = io.BytesIO()
np.save(GOOD, MEAN)
HOSTILE = {
    "empty": b"",
    "no array": b"hello, world",
    "a folder of nothing": zipped(b""),
    "a huge shape": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 8)}"),
    "a huge row": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1000000000000000)}"),
    "a negative shape": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -1)}"),
    "objects": npy("{'descr': '|O', 'fortran_order': False, 'shape': (1, 1)}") + b"12345678",
    "a program for a header": npy("__import__('pathlib').Path('harmed').touch()"),
    "deep brackets": npy("(" * 9000),
    "cut": GOOD.getvalue()[:-5],
    "cut in the header": GOOD.getvalue()[:40],
    "cut in an archive": zipped(GOOD.getvalue(), zipfile.ZIP_STORED)[:-600],
    "too long": GOOD.getvalue() + b"more",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_one_line_and_run_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.npz").write_bytes(HOSTILE[name])
    assert main(["check", "a.npz"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n"), err[: len("polar-monitor check: a.npz")]) == ("", 1, "polar-monitor check: a.npz")
    assert not Path("harmed").exists()


def test_nothing_is_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", mean=np.array([Harm()], object))
    assert main(["check", "a.npz"]) == 2
    assert "objects, which are not unpickled" in capsys.readouterr().err
    assert not Path("harmed").exists()


def test_files_that_are_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "none.npz")]) == 2
    assert main(["check", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert "none.npz: cannot be read: No such file" in err
    assert "expected a folder with polar.jsonl, found none" in err


@given(
    place=st.floats(0, 0.999),
    byte=st.integers(0, 255),
    archive=st.booleans(),
    cut=st.booleans(),
)
def test_a_damaged_file_is_read_or_is_an_error(
    place: float, byte: int, archive: bool, cut: bool, tmp_path: Path
) -> None:
    small = io.BytesIO()
    np.save(small, MEAN[:20])
    content = zipped(small.getvalue()) if archive else small.getvalue()
    at = math.floor(place * len(content))
    (tmp_path / "a").write_bytes(content[:at] if cut else content[:at] + bytes([byte]) + content[at + 1 :])
    said = ""
    try:
        with npz.ArrayFile(tmp_path / "a") as opened:
            for name in opened.names:
                assert opened.array(name).size
    except PolarMonitorError as error:
        said = str(error)
    assert "\n" not in said
    assert said or not cut


def test_an_array_that_does_not_fit_in_memory_names_the_way_out(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_memory(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(npz.np, "load", no_memory)
    assert main(["check", str(file)]) == 2
    err = capsys.readouterr().err
    assert "'mu': cannot be read: an array of shape (2000, 3) does not fit in memory: save .npy files and pass" in err
    assert 'polar_monitor.classify with numpy.load(..., mmap_mode="r")' in err


def test_an_npy_file_is_mapped_and_not_copied(tmp_path: Path) -> None:
    np.save(tmp_path / "codes.npy", MEAN)
    with npz.ArrayFile(tmp_path / "codes.npy") as opened:
        array = opened.array("")
    assert isinstance(array.base, np.memmap)


def test_the_command_as_it_is_installed(file: Path) -> None:
    command = [sys.executable, "-m", "polar_monitor", "check", str(file), "--fail-on", "passive", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert json.loads(done.stdout)["regime"]["verdict"] == "polarised"
    assert "Traceback" not in done.stderr


def test_usual_names_are_of_one_kind() -> None:
    names = [*npz_keys.MEANS, *npz_keys.OTHERS, *(name for kind in npz_keys.SPREADS.values() for name in kind)]
    assert len(set(names)) == len(names)
    assert all(name == name.lower() and not name.startswith("prior") for name in names)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in npz_keys.SPREADS.items() for name in names])
def test_a_spread_under_any_usual_name_is_read(
    kind: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {"logvar": np.log(VAR), "var": VAR, "std": np.sqrt(VAR), "logstd": 0.5 * np.log(VAR)}[kind]
    np.savez(tmp_path / "a.npz", z_mean=MEAN, **{name: values})
    assert main(["check", str(tmp_path / "a.npz")]) == 0
    assert "2000 rows, 3 dimensions: polarised; 1 active, 2 passive" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("beside", "options"),
    [
        ({"z_sd": VAR}, ["--no-spread"]),
        ({"std": VAR, "var": VAR}, ["--no-spread"]),
        ({"labels": np.arange(2000), "sd": np.ones(3), "more": VAR[:9], "epoch": np.array(3)}, []),
        ({"z": MEAN, "Labels": MEAN, "mu": MEAN, "prior_scale": VAR, "X": MEAN}, []),
        ({"names": np.full(MEAN.shape, "a"), "seen": np.ones(MEAN.shape, bool)}, []),
        ({"a table": np.zeros(2000, [("σ", "f4")])}, []),
    ],
)
@pytest.mark.filterwarnings("ignore:Stored array in format 3.0")
def test_means_alone_where_nothing_else_may_be_a_spread(
    beside: dict[str, Any], options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "a.npz", z_mean=MEAN, **beside)
    assert main(["check", str(tmp_path / "a.npz"), "--mean", "z_mean", "--fail-on", "collapse", *options]) == 0
    out, err = capsys.readouterr()
    assert "no variance representation" in out
    assert err == ""


def test_a_prior_that_is_named_is_no_spread(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "a.npz", mean=MEAN, pm=np.zeros_like(MEAN), pv=np.ones_like(MEAN))
    assert main(["check", str(tmp_path / "a.npz")]) == 2
    assert "may be it: pm, pv" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "a.npz"), "--prior", "pm", "pv"]) == 0


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_doubtful_unit_is_one_line_in_the_words_of_the_command(
    form: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "a.npz", mu=MEAN, logvar=VAR + 0.0)
    assert main(["check", str(tmp_path / "a.npz"), *form]) == 0
    out, err = capsys.readouterr()
    assert out
    said = "no log-variance is below 0, so every variance is 1 or more: is it a variance? Then pass --var KEY"
    assert err == f"polar-monitor check: {said}\n"


def test_reasons_are_in_the_words_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "code.npy", MEAN)
    assert main(["check", str(tmp_path / "code.npy")]) == 0
    out = capsys.readouterr().out
    assert "--resolution TAU gives the scale" in out
    assert "resolution=" not in out


def test_a_header_that_python_2_wrote_is_read_without_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2000L, 3L)}\n"
    (tmp_path / "old.npy").write_bytes(npy(header) + MEAN.tobytes())
    assert main(["check", str(tmp_path / "old.npy")]) == 0
    assert capsys.readouterr().err == ""


def test_a_unit_for_codes_without_a_spread(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "code.npy", np.random.default_rng(0).normal(size=(4096, 3)) * 1e-3)
    for options, code in ((["--resolution", "0.1"], 1), ([], 0)):
        assert main(["check", str(tmp_path / "code.npy"), "--fail-on", "collapse", *options]) == code
    assert main(["check", str(tmp_path / "code.npy"), "--resolution", "-1"]) == 2
    assert "resolution: expected" in capsys.readouterr().err


def test_a_very_wide_array_is_refused_before_the_time_is_spent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, shape, layout in (("wide", (3, 100_000), []), ("places", (2, 100_000, 3), ["--layout", "ndt"])):
        np.savez_compressed(tmp_path / f"{name}.npz", mean=np.zeros(shape, np.float32))
        assert main(["check", str(tmp_path / f"{name}.npz"), *layout]) == 2
        said = capsys.readouterr().err
        assert "expected at most 32,768 dimensions" in said
        assert "got 100,000: save some of them, such as mean[:, ::4]" in said
