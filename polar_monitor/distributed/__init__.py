"""Statistics over the ranks of a process group: two collectives, which the user calls."""
