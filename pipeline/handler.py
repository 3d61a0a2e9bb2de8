"""The function's own modules, so that the tooling reads an event exactly as the function does."""

import sys

from tools.package import SOURCE

# Only while they are imported: their names are too general to stay on everybody's path.
sys.path.insert(0, str(SOURCE))
try:
    import events
    import records
finally:
    sys.path.remove(str(SOURCE))

__all__ = ["events", "records"]
