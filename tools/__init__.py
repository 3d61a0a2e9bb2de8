"""The maintainers' tools, which no wheel holds."""
