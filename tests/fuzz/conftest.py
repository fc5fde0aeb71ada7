"""The table of what was tried, after a run."""

import pytest

ROWS: list[tuple] = []


@pytest.fixture
def table() -> list[tuple]:
    return ROWS


def pytest_terminal_summary(terminalreporter, config):
    if ROWS and config.getoption("inputs") > 1000:
        terminalreporter.write_line("| reader | inputs | accepted | refused | memory | slowest |")
        terminalreporter.write_line("|---|---|---|---|---|---|")
        for row in ROWS:
            terminalreporter.write_line(f"| {' | '.join(map(str, row))} |")
