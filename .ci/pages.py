"""A hook of mkdocs: the README is the first page. There, links to pages do not begin with their folder."""

from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def on_page_markdown(markdown, page, **_):
    if page.file.src_uri != "index.md":
        return markdown
    return README.read_text(encoding="utf-8").replace("](docs/", "](")
