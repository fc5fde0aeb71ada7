"""Print a table of the inputs that were tried, after a run of so many inputs."""


def pytest_terminal_summary(terminalreporter, config):
    if config.getoption("inputs"):
        reports = [report for group in terminalreporter.stats.values() for report in group]
        calls = [report for report in reports if getattr(report, "when", None) == "call"]
        rows = [value for report in calls for name, value in report.user_properties if name == "row"]
        for row in (("reader", "inputs", "accepted", "refused", "memory"), ["---"] * 5, *rows):
            terminalreporter.write_line(f"| {' | '.join(map(str, row))} |")
