"""Every reader of files against malformed ones: `pytest tests/fuzz --inputs 10000`."""
