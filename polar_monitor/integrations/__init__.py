"""Frameworks and trackers: thin adapters, each in a module named after its package.

`lightning` (for both of its packages, and scvi-tools), `transformers`, `ignite`, `torchmetrics` and `trackers` (W&B,
MLflow, trackio, Aim, Accelerate). None of them imports its package before it is used. Accelerate, diffusers, pythae,
pyro and torch_geometric need no adapter: `polar_monitor.attach(model)` in the loop. `docs/frameworks` has an example
of each.
"""
