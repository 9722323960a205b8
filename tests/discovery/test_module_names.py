"""Names of modules: the role that each states, and the parts that are no encoder."""

from __future__ import annotations

import pytest

from polar_monitor.discovery.module_names import is_other_part, last, parent, role


@pytest.mark.parametrize(
    ("name", "kind", "stem"),
    [
        ("fc_mu", "mean", ("fc",)),
        ("encoder.z_mean", "mean", ("z",)),
        ("fcLogVar", "logvar", ("fc",)),
        ("hidden2logv", "logvar", ("hidden", "2")),
        ("log_sigma_sq", "logvar", ()),
        ("mean_head", "mean", ("head",)),
        ("log_std_head", "logstd", ("head",)),
        ("fc_var", None, ("fc",)),
        ("style_sigma", None, ("style",)),
        ("MuHead", "mean", ("head",)),
    ],
)
def test_a_role_is_read(name: str, kind: str | None, stem: tuple[str, ...]) -> None:
    stated = role(name)
    assert stated is not None
    assert (stated.kind, stated.stem) == (kind, stem)


@pytest.mark.parametrize("name", ["encoder", "fc1", "mu_and_logvar", "formula", "meander", "variational", ""])
def test_a_name_without_one_role_has_none(name: str) -> None:
    assert role(name) is None


@pytest.mark.parametrize(("name", "plain"), [("fc_mu", True), ("z_mean", True), ("style_mu", False), ("mu3", False)])
def test_a_plain_name_points_to_no_other_variable(name: str, plain: bool) -> None:
    stated = role(name)
    assert stated is not None
    assert stated.is_plain == plain


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("decoder.mu", True),
        ("prior_net.mu", True),
        ("p_z.mean", True),
        ("encoder.mu", False),
        ("prior_encoder.mu", False),
        ("decoder.posterior.mu", True),
        ("preprocess.mu", False),
    ],
)
def test_parts_that_are_no_encoder(name: str, other: bool) -> None:
    assert is_other_part(name) == other


def test_a_name_and_the_module_around_it() -> None:
    assert (parent("a.b.c"), last("a.b.c"), parent("c"), last("c")) == ("a.b", "c", "", "c")
