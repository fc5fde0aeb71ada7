"""What a run came to, as the terminal and the report's first page tell it."""

import base64

import pytest
from docutils.core import publish_string
from first_page import STYLE, first_page, verdict

SUMMARY = """- Device: Abacus, 10 rows

## Verdict

- made_mnist: Jacobi has 4× the speed of the best_ *sequential* evaluation.
- Certified: every sample.

| task | fastest | × plain |
|---|---|---|
| made_mnist | GS-Jacobi (window 4, guess row_above) | 8× |

## Every solver

| task |
|---|
| other |
"""


@pytest.fixture
def summary(tmp_path):
    (tmp_path / "summary.md").write_text(SUMMARY)
    return tmp_path / "summary.md"


def test_the_verdict_is_the_section_of_that_name(summary):
    lines, rows = verdict(summary)
    assert lines == [
        "made_mnist: Jacobi has 4× the speed of the best_ *sequential* evaluation.",
        "Certified: every sample.",
    ]
    assert rows == [["task", "fastest", "× plain"], ["made_mnist", "GS-Jacobi (window 4, guess row_above)", "8×"]]


def test_a_summary_without_one_says_nothing(summary):
    summary.write_text("- Device: Abacus\n")
    assert verdict(summary) == ([], [])
    about = "Title\n=====\n\nWhat this is.\n"
    assert first_page(about, summary, summary.parent).replace(f"\n\n{STYLE}", "") == about


def test_the_first_page_shows_verdict_table_and_figure_before_the_rest(summary, tmp_path):
    (tmp_path / "made_mnist.png").write_bytes(pixels := bytes(range(256)) * 100)
    text = first_page("Title\n=====\n\nWhat this is.\n", summary, tmp_path)
    page = publish_string(text, writer="html5", settings_overrides={"halt_level": 2}).decode()
    image = base64.b64encode(pixels).decode()
    parts = ["best_ *sequential* evaluation", "<th", "row_above", f"data:image/png;base64,{image}", "What this is."]
    places = [page.index(part) for part in parts]
    assert places == sorted(places)
    assert "other" not in page
