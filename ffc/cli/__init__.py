"""The command line, `ffc`, and its exit codes."""

DONE, NOT_EXACT, ERROR, INTERRUPTED = 0, 1, 2, 130
