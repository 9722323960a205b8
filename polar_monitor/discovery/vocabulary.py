"""The one place for words: names of modules, of an output's fields and of arrays in a file, by what they mean.

A name of a module is compared word by word, so "fcLogVar", "log_var_head" and "logvar" all have the word "logvar".
Fields and keys are compared as they are written (keys in lower case). One word stands for one unit in all three.

A new name is one more word in the row of its unit. A new unit is one more row, with its formulas in `arrays.spread`.
"""

from __future__ import annotations

from typing import NamedTuple


class SpreadNames(NamedTuple):
    """Names of a spread in one unit; in the order of preference where several are there."""

    modules: tuple[str, ...]
    """Words of a module's name."""
    fields: tuple[str, ...]
    """Names in a dict, dataclass or named tuple that a module returns."""
    keys: tuple[str, ...] = ()
    """Keys of an .npz file."""
    module_may_differ: bool = False
    """True if a module of such a name often gives another unit: much code calls "fc_var" what gives log σ²."""


SPREAD_NAMES = {
    "logvar": SpreadNames(
        modules=(
            "logvar", "logvariance", "logv", "lv", "logcov", "logcovariance", "logsigma2", "logsigmasq",
            "logsigmasquared",
        ),
        fields=("logvar", "log_var", "log_variance", "z_logvar", "z_log_var", "log_covariance"),
        keys=(
            "logvar", "log_var", "z_logvar", "z_log_var", "log_variance", "logvariance", "logvars", "log_vars",
            "z_log_variance", "posterior_logvar", "posterior_log_var", "log_sigma2", "log_sigma_sq",
        ),
    ),
    "var": SpreadNames(
        modules=("var", "variance", "cov", "sigma2"),
        fields=("var", "variance", "z_var", "qz_v"),
        keys=(
            "var", "variance", "z_var", "vars", "variances", "z_variance", "posterior_var", "posterior_variance",
            "sigma2", "sigma_sq",
        ),
        module_may_differ=True,
    ),
    "std": SpreadNames(
        modules=("sigma", "std", "scale", "stddev"),
        fields=("std", "stddev", "sigma", "scale"),
        keys=(
            "std", "stddev", "sigma", "scale", "stds", "sigmas", "z_std", "z_stddev", "z_sigma", "z_scale",
            "posterior_std", "posterior_scale",
        ),
        module_may_differ=True,
    ),
    "logstd": SpreadNames(
        modules=("logstd", "logstddev", "logsigma", "logscale"),
        fields=("log_std", "logstd", "log_sigma", "log_scale"),
        keys=(
            "logstd", "log_std", "log_sigma", "logsigma", "log_scale", "logscale", "log_stds", "z_logstd", "z_log_std",
            "z_log_sigma", "z_log_scale", "posterior_logstd", "posterior_log_std",
        ),
    ),
}  # fmt: skip
"""Names of spreads by unit; the units are those of `arrays.spread.UNITS`."""
SPREAD_MODULES: dict[str, str | None] = {
    word: None if names.module_may_differ else unit for unit, names in SPREAD_NAMES.items() for word in names.modules
}
"""Unit by word of a module's name; None if the word does not settle it."""
SPREAD_FIELDS = {field: unit for unit, names in SPREAD_NAMES.items() for field in names.fields}
"""Unit by field, in the order in which fields are looked for."""
SPREAD_KEYS = {unit: names.keys for unit, names in SPREAD_NAMES.items() if names.keys}
"""Keys by unit."""

MEAN_MODULES = ("mu", "mean", "means", "loc")
MEAN_FIELDS = ("mean", "mu", "z_mean", "z_mu", "means", "qz_m", "loc", "embedding")
MEAN_KEYS = ("mean", "mu", "z_mean", "means", "mus", "loc", "z_mu", "z_loc", "z_means", "posterior_mean")
PRIOR_KEYS = ("prior_mean", "prior_var")

HOLDERS = ("latent_dist", "posterior", "latent_distribution", "qz", "q_z", "latents", "latent")
"""Fields that hold the object with the mean and the spread."""

CODE_MODULES = {"bottleneck", "code", "to_latent", "to_z", "fc_z"}
"""Modules, by their full last name, that give the code of an autoencoder."""
CODE_MODULES_BESIDE_A_SPREAD = {"embedding"}
"""Modules that give a mean only if a spread stands beside them, as in Pythae's encoders."""

NEUTRAL_WORDS = {
    "fc", "linear", "lin", "head", "layer", "to", "z", "conv", "enc", "encoder", "hidden", "proj", "projection",
    "latent", "net", "q", "qz", "out", "output", "dense", "h", "1", "2", "final", "posterior",
}  # fmt: skip
"""Words beside the mean's or spread's word that do not point to another variable than the latent."""
POSTERIOR_WORDS = {"encoder", "enc", "posterior"}
"""Words of what gives the posterior, also inside a decoder or a prior."""
OTHER_PARTS = {
    "decoder", "dec", "prior", "generator", "gen", "likelihood", "discriminator", "disc", "critic", "px", "p",
}  # fmt: skip
"""Words of parts that do not give the posterior: a module there is never taken unless the user names it."""

PYTORCH_EXAMPLE = ("fc1", "fc21", "fc22", "fc3", "fc4")
"""Layers of the VAE in PyTorch's examples; fc21 gives the mean and fc22 the log-variance."""
ENCODER_DECODER = (("quant_conv", "post_quant_conv"), ("encoder", "decoder"), ("enc", "dec"))
"""(module that gives the latent, module that takes it); latent diffusion has the first pair inside the second."""
