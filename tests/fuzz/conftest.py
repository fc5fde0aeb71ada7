"""The table of what was tried, after a run of many inputs."""

import tables


def pytest_terminal_summary(terminalreporter, config):
    if config.getoption("inputs") > 1000:
        tables.write(terminalreporter, "reader", "inputs", "accepted", "refused", "memory")
