"""The wheel holds the package, all of it and nothing else, and what is installed from it works without the sources."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RUN = """
import importlib.metadata, json, sys, tempfile
import torch
import polar_monitor, polar_monitor.kernels._jit
from polar_monitor.sinks.jsonl import read_jsonl

class Vae(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc_mu, self.fc_logvar = torch.nn.Linear(8, 2), torch.nn.Linear(8, 2)
    def forward(self, x):
        return self.fc_mu(x) + self.fc_logvar(x)

model = Vae()
monitor = polar_monitor.attach(model, log_dir="logs", every=5, max_overhead=1.0, strict=True)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for _ in range(10):
    model(torch.randn(64, 8)).square().mean().backward()
    optimizer.step()
monitor.detach()
scripts = importlib.metadata.distribution("polar-monitor").entry_points.select(group="console_scripts")
print(json.dumps({
    "package": polar_monitor.__file__,
    "kernels": polar_monitor.kernels._jit.__file__,
    "steps": [record.step for record in read_jsonl("logs/polar.jsonl")],
    "version": [importlib.metadata.version("polar-monitor"), polar_monitor.__version__],
    "scripts": {script.name: script.value for script in scripts},
    "tabs": [point.value for point in importlib.metadata.entry_points(group="tensorboard_plugins")],
    "loaded": sorted({"kernels", "tests", "bench"} & set(sys.modules)),
}))
"""


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tracked(*paths: str) -> list[str]:
    """`git ls-files -s` of what is committed or staged; skips where the sources are no clone."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    return run("git", "ls-files", "-s", "--", *paths, cwd=ROOT).splitlines()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, so that no build folder is left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "kernels", "polar_monitor", "tests", "bench"):
        run("cp", "-R", ROOT / name, source / name, cwd=folder)
    build = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    run(sys.executable, *build, "--wheel-dir", folder / "dist", source, cwd=folder)
    (built,) = (folder / "dist").glob("*.whl")
    return built


def test_every_folder_is_in_the_list_of_packages() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "polar_monitor").rglob("*.py")}
    folders |= {"polar_monitor" / path.parent.relative_to(ROOT) for path in (ROOT / "kernels").rglob("*.py")}
    assert settings["packages"] == sorted(".".join(folder.parts) for folder in folders)
    for package, folder in settings["package-dir"].items():
        assert package == ".".join(("polar_monitor", *Path(folder).parts))


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {
        "polar_monitor",
        f"polar_monitor-{wheel.name.split('-')[1]}.dist-info",
    }
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "polar_monitor").rglob("*.py")}
    sources |= {f"polar_monitor/{path.relative_to(ROOT)}" for path in (ROOT / "kernels").rglob("*.py")}
    packed = {name for name in names if name.startswith("polar_monitor/")}
    assert "polar_monitor/kernels/_jit.py" in packed
    page = {str(path.relative_to(ROOT)) for path in (ROOT / "polar_monitor" / "web").rglob("*.*s")}
    assert {"polar_monitor/web/style.css", "polar_monitor/web/forms/page.js"} <= page
    assert packed == sources | page | {"polar_monitor/py.typed"}
    assert any(name.endswith("/LICENSE") for name in names)


@pytest.mark.slow
def test_the_installed_wheel_works_without_the_sources(wheel: Path, tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
    # torch and its like from here, but behind the new environment's own packages and without any editable install
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())
    here = [path for path in sys.path if path.endswith("site-packages")]
    (site / "behind.pth").write_text("".join(f"import sys; sys.path.append({path!r})\n" for path in here))
    install = ("-m", "pip", f"--python={python}", "install", "--quiet", "--no-deps", "--no-index")
    run(sys.executable, *install, wheel, cwd=tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    found = json.loads(run(python, "-I", "-c", RUN, cwd=elsewhere).splitlines()[-1])
    assert found["package"] == str(site / "polar_monitor" / "__init__.py")
    assert found["kernels"] == str(site / "polar_monitor" / "kernels" / "_jit.py")
    assert found["steps"] == [5, 10]
    assert found["version"][0] == found["version"][1]
    assert found["scripts"] == {"polar-monitor": "polar_monitor.cli:main"}
    assert "polar_monitor.tensorboard_plugin:Loader" in found["tabs"]
    assert found["loaded"] == []
    run(python.with_name("polar-monitor"), "report", "logs", "-o", "report.html", cwd=elsewhere)
    assert "function drawPage" in (elsewhere / "report.html").read_text(encoding="utf-8")
    assert "usage: polar-monitor" in run(python.with_name("polar-monitor"), "--help", cwd=elsewhere)


def test_a_plain_clone_sees_the_kernels_through_a_relative_link() -> None:
    (link,) = tracked("polar_monitor/kernels")
    assert link.startswith("120000 ")
    assert (ROOT / "polar_monitor" / "kernels").readlink() == Path("../kernels")
    assert not (ROOT / "kernels" / "__init__.py").exists()


def test_pins_name_neither_places_nor_builds() -> None:
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert len(pins) > 20
    for line in pins:
        name, version = line.split("==")
        assert name.replace("-", "").replace("_", "").isalnum(), line
        assert all(part.isalnum() for part in version.split(".")), line
