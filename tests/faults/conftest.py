"""The table of what was tried, after a run that was asked for more than a few kills."""

import pytest

ROWS: list[tuple] = []


@pytest.fixture(scope="session")
def table() -> list[tuple]:
    """Rows to print: a fault, how often it was tried, and what happened."""
    return ROWS


def pytest_terminal_summary(terminalreporter, config):
    if ROWS and config.getoption("kills") > 2:
        terminalreporter.write_line("\n| fault | tried | what happened |\n|---|---|---|")
        for row in ROWS:
            terminalreporter.write_line(f"| {' | '.join(map(str, row))} |")
