"""`python -m lab`, as 1.0.0 was called, says what it is now."""

from pipeline.cli import renamed

renamed()
