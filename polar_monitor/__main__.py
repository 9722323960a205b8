"""`python -m polar_monitor` is `polar-monitor`."""

from .cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
