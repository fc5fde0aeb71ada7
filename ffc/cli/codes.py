"""Exit codes of `ffc`."""

DONE, NOT_EXACT, ERROR, INTERRUPTED = 0, 1, 2, 130
