"""`python -m polar_monitor` is `polar-monitor`."""

from .cli import main

if __name__ == "__main__":
    raise SystemExit(main())
