"""Small data sets and models that the command line, the examples and the benches share."""
