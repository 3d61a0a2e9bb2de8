"""The Python tooling: `python -m lab --help` lists what it does."""
