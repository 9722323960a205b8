"""A suggestion of a message is followed by a test, or stands in a list with the reason why not."""

from __future__ import annotations

import ast
from pathlib import Path

from messages.suggesting import HOLE, all_suggestions, has, text_of, texts

HERE = Path(__file__).parent
ELSEWHERE = {
    "tests/discovery/test_suggested_lines.py": (
        ". Use one of:\n",
        "attach(model, mean=lambda out: out[1], logvar=lambda",
    ),
    "tests/test_real_models.py": ('(if the second half has another unit, write latent="', "the model has no module"),
    "tests/monitor/sources/test_processed_heads.py": (
        "the arguments of attach() do not fit the data (",
        "). If that is the latent, write ",
        ". If it is the latent, write attach(",
    ),
    "tests/discovery/evidence/later/test_padding.py": (
        "they look like padding",
        'write mask="<argument of the forward>"',
    ),
    "tests/capture/test_masks.py": (
        ". Write attach(model, mask",
        "mask= reads the arguments",
        "mask= is read in eager",
    ),
    "tests/host/test_outputs.py": ("pass mean=lambda out: out.to_local()",),
    "tests/cli/test_check.py": (
        "pass --mean KEY",
        "pass --var KEY, --std KEY, --logvar KEY",
        "pass --spread KEY",
        "expected one spread, got --var and --std: pass ",
        "write it with numpy.savez",
        "write both arrays with numpy.savez",
    ),
    "tests/integrations/test_trackers.py": ("call wandb.init(…) before", "write it inside mlflow.start_run()"),
    "tests/intervention/test_gain.py": ("or gain= from polar_monitor.decoder_gain(decoder, chunk)",),
    "tests/monitor/sources/test_latent_search.py": ("pass example=batch to attach()",),
    "tests/offline/test_stored.py": ("call .compute_chunk_sizes()", "pass the columns, as in classify("),
}
"""Tests that write what a message says, by file."""
NOT_FOLLOWED = {
    "advice on a training, which no test can end: `bench.alerts` measures the causes that it is for": (
        "lower β",
        "the encoder's heads out of the weight decay",
        "lower the learning rate",
        "lower or stop raising β",
        "keep the checkpoint of the last healthy step",
        "raise the weight of the KL term",
        "write the KL term as -0.5",
        "stop raising β",
        "call model.train(), or watch modes=",
        "attach before the first call of a compiled model",
    ),
    "it needs another device, a compiler, a fork or other ranks": (
        "pass .cpu()",
        "compile with options={",
        "call torch._dynamo.reset() once",
        "compile without dynamic=True",
        "call attach() after model.to(",
        "call polar_monitor.attach(model) in the process that trains",
        "call polar_monitor.attach(model) with the one that is trained",
        "call torch._dynamo.reset() now",
        "and to measure it the training has to wait for the device",
        "give it the same value on all ranks",
        "call sync() before torch.distributed.destroy_process_group()",
        "pass a callable that moves the codes",
        "attach after they are there",
        "pass another path or log_dir=",
        "pass a log_dir= of its own",
        "keep that object, or attach to the model",
        "make the callback after `import",
        "save .npy files and pass them to polar_monitor.classify",
    ),
    "the place of a cache or of a file that a command writes": (
        "NUMBA_CACHE_DIR=/path/of/a/folder",
        "pass another folder with --log-dir",
        "pass a file, -o run.parquet",
        "pass a file in another folder",
        "pass another file with -o",
        "pass fewer runs",
        "the same log_dir to go on",
        "give each run a folder of its own",
        "compile the kernels ahead, such as in an image",
    ),
    "descriptions of commands, which tell nobody to do anything": (
        "Write one HTML file that shows runs",
        "Write a record for each dimension",
        "Compile the kernels of evaluations",
    ),
    "words or files of the user's own have to fill it in": (
        "to go on, call monitor.load_state_dict() first",
        ', name="a")   # ',
        "pass a callable that adds the rest for any number of rows",
        "pass a callable that adds the other 3",
        "use a smaller every= or a larger keep=",
        "Then pass var=",
        "Call monitor.observe(mean, …) for those that you mean",
        "call model.train() first",
        "If it is a latent, write ",
        "write its line:",
        "or call monitor.observe(mean, std=…) where it has them",
        'attach(model, mean=("fc_mu", lambda out: …), std=("fc_logvar"',
        "call model(x, u)",
        "Such a code has no mean",
        "pass it yourself: monitor.observe(mu, logvar)",
        'write attach(model, latent="fc", ',
        "name the latent",
        "to replace codes of a decoder, write",
        "pass loss=lambda output, batch: …",
        "or pass at least 16 inputs",
        "with a function from the code to the output",
        "Name the tensors that enter the sample",
        "to watch the model as it is now",
        "call model.train() before the training goes on",
        "write layout=",
        "no latent is watched yet: call observe(",
    ),
}
"""Suggestions that no test follows, by the reason."""


def followed() -> list[str]:
    """Words of all suggestions in the tests beside this one."""
    calls = (node for file in HERE.glob("test_suggestions*.py") for node in ast.walk(ast.parse(file.read_text())))
    return [
        text_of(call.args[0])
        for call in calls
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Suggestion"
    ]


def test_each_suggestion_is_followed_or_has_a_reason() -> None:
    known = [*followed(), *(words for table in (ELSEWHERE, NOT_FOLLOWED) for some in table.values() for words in some)]
    left = {place: text for text, place in all_suggestions().items() if not any(has(text, one) for one in known)}
    assert not left, "add a Suggestion to tests/host/test_suggestions*.py that does what the message says"


def test_the_lists_name_what_there_is() -> None:
    messages = list(all_suggestions())
    for words in (words for table in (ELSEWHERE, NOT_FOLLOWED) for some in table.values() for words in some):
        assert any(has(text, words) for text in messages), f"no message has {words!r} any more"
    assert all((HERE.parents[1] / file).exists() for file in ELSEWHERE)


def test_a_new_suggestion_is_found() -> None:
    module = ast.parse('''def f(x):\n    """Call it."""\n    raise E(f"got {x} here: " "write " + name + f"={x}")''')
    assert [text for _, text in texts(module)] == [f"got {HOLE} here: write {HOLE}={HOLE}"]
    assert has(f"got {HOLE} here: write mean={HOLE}", "got 3 here: write mean=4")
    assert not has(f"write attach(model, latent={HOLE})", "write attach(model, window=3)")
