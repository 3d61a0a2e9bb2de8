"""The Python tooling: `python -m pipeline --help` lists what it does."""
