"""The workflow while things break: `pytest tests/faults`; at length, `--kills 20 --preset quick`."""
