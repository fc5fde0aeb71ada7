"""The table of what was tried, after a run that was asked for more than a few kills."""

import tables


def pytest_terminal_summary(terminalreporter, config):
    if config.getoption("kills") > 2:
        tables.write(terminalreporter, "fault", "tried", "what happened")
