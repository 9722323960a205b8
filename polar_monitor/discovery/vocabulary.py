"""TODO."""

from __future__ import annotations

MEANS = {"mu", "mean", "means", "loc"}

SPREADS = {
    "logvar": "logvar", "logvariance": "logvar", "logv": "logvar", "lv": "logvar", "logcov": "logvar",
    "logcovariance": "logvar", "logsigma2": "logvar", "logsigmasq": "logvar", "logsigmasquared": "logvar",
    "logstd": "logstd", "logstddev": "logstd", "logsigma": "logstd", "logscale": "logstd",
}  # fmt: skip
"""Names that tell the unit of a spread."""

UNCLEAR = {"var", "variance", "cov", "sigma", "std", "scale", "sigma2", "stddev"}
"""Names of a spread that do not: much code calls the layer "fc_var" that gives log σ²."""

CODES = {"bottleneck", "code", "to_latent", "to_z", "fc_z"}

CODES_BESIDE_A_SPREAD = {"embedding"}
"""A mean only where a spread stands beside it, as in Pythae's encoders."""

USUAL = {
    "fc", "linear", "lin", "head", "layer", "to", "z", "conv", "enc", "encoder", "hidden", "proj", "projection",
    "latent", "net", "q", "qz", "out", "output", "dense", "h", "1", "2", "final", "posterior",
}  # fmt: skip
"""Words that may stand beside the role without meaning another variable than the latent."""

ELSEWHERE = {
    "decoder", "dec", "prior", "generator", "gen", "likelihood", "discriminator", "disc", "critic", "px", "p",
}  # fmt: skip
"""Words of what is not the posterior: a pair that stands there is never taken without being named."""

MEAN_FIELDS = ("mean", "mu", "z_mean", "z_mu", "means", "qz_m", "loc", "embedding")

SPREAD_FIELDS = {
    "logvar": "logvar",
    "log_var": "logvar",
    "log_variance": "logvar",
    "z_logvar": "logvar",
    "z_log_var": "logvar",
    "log_covariance": "logvar",
    "var": "var",
    "variance": "var",
    "z_var": "var",
    "qz_v": "var",
    "std": "std",
    "stddev": "std",
    "sigma": "std",
    "scale": "std",
    "log_std": "logstd",
    "logstd": "logstd",
    "log_sigma": "logstd",
    "log_scale": "logstd",
}

HOLDERS = ("latent_dist", "posterior", "latent_distribution", "qz", "q_z", "latents", "latent")
