"""Tables of what tests tried, printed after the run; each row comes from a test, in whichever process that ran."""


def write(terminalreporter, *heading: str) -> None:
    """The rows that tests gave to `record_property("row", …)`, under their heading."""
    reports = [report for group in terminalreporter.stats.values() for report in group]
    calls = [report for report in reports if getattr(report, "when", None) == "call"]
    rows = [value for report in calls for name, value in report.user_properties if name == "row"]
    if rows:
        for row in (heading, ["---"] * len(heading), *rows):
            terminalreporter.write_line(f"| {' | '.join(map(str, row))} |")
