"""Small data sets and models that `polar-monitor demo` and the examples train on."""
