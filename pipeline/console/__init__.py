"""`pipeline console`: a page that shows a pipeline at work, uploads to it and replays failures."""
