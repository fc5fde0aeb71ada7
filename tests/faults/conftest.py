"""The table of what was tried, after a run."""

import pytest

ROWS: list[tuple] = []


@pytest.fixture(scope="session")
def table() -> list[tuple]:
    """Rows to print: a fault, how often it was tried, and what happened."""
    return ROWS


def pytest_terminal_summary(terminalreporter):
    if ROWS:
        terminalreporter.write_line("\n| fault | tried | what happened |\n|---|---|---|")
        for row in ROWS:
            terminalreporter.write_line(f"| {' | '.join(map(str, row))} |")
