"""The function's own modules: the tooling reads an event exactly as the function does."""

import sys

from pipeline.paths import FUNCTION

# Only for the import: these names are too general to stay on the path.
sys.path.insert(0, str(FUNCTION))
try:
    import events
    import records
finally:
    sys.path.remove(str(FUNCTION))

__all__ = ["events", "records"]
