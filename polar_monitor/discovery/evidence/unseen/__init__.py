"""Decoders inside the own forward of a model, where no hook sees what they take: codes, and heads of a sample."""
