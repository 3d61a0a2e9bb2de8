"""Entry point of `python -m pipeline`."""

import sys

try:
    from pipeline.cli import main
except ModuleNotFoundError as error:
    sys.exit(
        f"{error.name} is not installed in {sys.executable}: use .venv/bin/python, which "
        "`make demo` and `make test` make."
    )

if __name__ == "__main__":
    main()
