"""Files that `polar-monitor check` reads arrays from: which keys, their bytes, and standard input."""
