"""The README is short, defines its words, and its code prints what it shows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import torch

from polar_monitor.demo import data
from polar_monitor.demo.models import BetaVae
from polar_monitor.regime.regime import Verdict

pytestmark = pytest.mark.usefixtures("no_monitor_goes_on")

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
CODE, SHOWN = re.findall(r"```(?:python|text)\n(.*?)```", PAGE, re.DOTALL)[:2]
SEARCHED = (
    "posterior collapse", "unused latents", "polarised regime", "β-VAE", "iVAE", "scVI", "diffusion", "regularised",
    "autoencoder",
)  # fmt: skip
"""Words that people search for."""


def form(text: str) -> list[str]:
    """Return the kinds of lines, without numbers and words that depend on the processor."""
    kinds = []
    for line in text.splitlines():
        if line.strip():
            plain = re.sub(r"\d[\d,.%]*", "0", line.strip())
            kinds.append("row" if re.match(r"0\s+(active|passive|mixed|undecided) ", plain) else plain.split()[0])
    return kinds


def test_it_has_at_most_90_lines() -> None:
    assert len(PAGE.splitlines()) <= 90


@pytest.mark.parametrize("word", SEARCHED)
def test_it_has_the_words_that_people_search_for(word: str) -> None:
    assert word.lower() in re.sub(r"\s+", " ", PAGE).lower()


def test_words_are_defined_where_they_come_first() -> None:
    prose = re.sub(r"```.*?```|!\[.*?\]\(.*?\)", "", PAGE, flags=re.DOTALL)
    for word, definition in {
        "polarised regime": r"\*\*polarised regime\*\*: some dimensions are\s+\*active\*",
        "nats": r"\*nats\* measure information",
        "verdict": r"the \*verdict\*, the state of the model",
    }.items():
        match = re.search(definition, prose)
        assert match, word
        assert prose.lower().index(word) >= match.start() - 3
    assert all(f"`{verdict.value}`" in PAGE for verdict in Verdict)


def test_the_code_prints_what_is_shown(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "polar_monitor")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "130")
    assert len([line for line in CODE.splitlines() if line]) == 5
    torch.manual_seed(0)
    images, _ = data.sprites(2048)
    model = BetaVae(images.shape[1], latents=10)

    def train(model: BetaVae) -> None:
        optimizer = torch.optim.Adam(model.parameters(), 2e-3)
        for _ in range(60):
            loss = model.loss(images[torch.randint(len(images), (128,))], beta=4.0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    names = {"model": model, "train": train}
    exec(CODE, names)
    captured = capsys.readouterr()
    first, *others = SHOWN.splitlines()
    announced = next(text for text in (*captured.err.splitlines(), *caplog.messages) if "watching" in text)
    assert re.sub(r"runs/\S+", "", announced) == re.sub(r"runs/\S+", "", first)
    assert re.match(r"step [\d,]+( \(training is at step [\d,]+\))?: (\w+); \d+ \w+", captured.out)
    shown = form("\n".join(others))
    assert {"step", "from", "dim", "row"} <= set(shown)
    assert set(form(captured.out)) >= {"step", "from", "0"}


def test_the_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", PAGE):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_the_three_commands_stand_where_they_are_looked_for() -> None:
    for name, page in (("demo", "README.md"), ("test", "README.md"), ("slow", "docs/contributing.md")):
        assert f"<!-- fresh: {name} -->\n```bash\npython -m p" in (ROOT / page).read_text(encoding="utf-8")


def test_it_names_no_distribution_that_does_not_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert not re.search(r"pip install (-\S+ )*\"?polar", PAGE)
    assert set(re.findall(r"\"\.\[(\w+)\]\"", PAGE)) <= set(extras)


def test_each_promise_has_a_command_that_is_there() -> None:
    rows = PAGE.split("| promise |")[1].split("\n\n")[0].splitlines()[2:]
    assert len(rows) == 3
    for row in rows:
        (command,) = re.findall(r"`python (?:-m )?(bench[\w./]+)", row)
        path = ROOT / (command if command.endswith(".py") else command.replace(".", "/"))
        assert path.exists() or path.with_suffix(".py").exists()
