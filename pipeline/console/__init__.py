"""`python -m pipeline console`: one page on which a pipeline can be watched, and fed."""
