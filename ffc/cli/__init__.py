"""The command line, `ffc`."""
