"""The report in a browser: every figure, table and notebook can be looked at, and the page asks no network."""

import pytest
from browser import CHROMIUM, Browser
from first_page import verdict
from places import ROOT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium, chromium-browser or google-chrome on PATH"),
]

#: Goes through the menu as a reader does: each category, each format, each line's eye. Returns [category, file, look].
READ = """(async () => {
    const rows = () => [...document.querySelectorAll("nav tbody a[iconname=eye]")];
    const view = () => [...document.querySelectorAll("#app img, #app iframe")].find(node => !node.closest("nav"));
    const until = async (ready) => {
        for (let i = 0; i < 400 && !ready(); i++) await new Promise(done => setTimeout(done, 25));
        if (!ready()) throw Error("waited in vain: " + ready);
        return ready();
    };
    const link = (text) => [...document.querySelectorAll("nav a")].find(node => node.innerText.trim() === text);
    const seen = [], sources = new Set([...document.querySelectorAll("#app img")].map(node => node.src));
    for (const category of Object.keys(categories)) {
        (await until(() => link(category))).click();
        await until(() => rows().length);
        const formats = [...document.querySelectorAll("nav fieldset input")].map(node => node.value);
        for (const format of formats.length ? formats : [""]) {
            document.querySelector(`nav fieldset input[value="${format}"]`)?.click();
            for (const eye of rows()) {
                if (eye.download) { seen.push([category, eye.download, "file"]); continue; }
                eye.click();
                const shown = await until(() => view() && !sources.has(view().src) && view());
                sources.add(shown.src);
                const name = /filename=([^;]+)/.exec(shown.src)[1];
                if (shown.tagName === "IMG") await shown.decode();
                else await until(() => !shown.contentDocument);  // a page of its own, once it is there
                seen.push([category, name, shown.tagName === "IMG" ? shown.naturalWidth : "page"]);
            }
        }
        link("Results").click();
    }
    return seen;
})()"""


#: What stands on the first page once it is there: its text, the width of its picture, and where it begins.
FIRST = """(async () => {
    const picture = () => [...document.querySelectorAll("#app img")].find(node => node.alt);
    for (let i = 0; i < 400 && !picture(); i++) await new Promise(done => setTimeout(done, 25));
    await picture().decode();
    const top = document.querySelector("#app h1.title").getBoundingClientRect().top;
    return [document.querySelector("#app").innerText, picture().naturalWidth, top];
})()"""


@pytest.fixture(scope="module", params=["tiny", "quick"])
def report(request):
    """The report of the preset that the tests run, and that of `quick` where it has run here."""
    if request.param == "tiny":
        return request.getfixturevalue("finished") / "results" / "tiny" / "report.html"
    path = ROOT / "results" / "quick" / "report.html"
    return path if path.exists() else pytest.skip("results/quick/report.html is not there; snakemake quick makes it")


@pytest.fixture(scope="module")
def read(report):
    """What a reader sees who looks at everything, and what the browser reported meanwhile."""
    with Browser() as browser:
        browser.open(report)
        first = browser.run(FIRST)
        (report.parent / "first_page.png").write_bytes(browser.screenshot())
        seen = browser.run(READ)
        (report.parent / "report.png").write_bytes(browser.screenshot())
        return seen, browser.events, first


def test_everything_that_was_made_is_shown(report, read):
    shown = [name for _, name, _ in read[0]]
    patterns = ("figures/*.png", "figures/*.svg", "notebooks/*.html", "summary.csv", "summary.html")
    assert sorted(shown) == sorted(file.name for pattern in patterns for file in report.parent.glob(pattern))


def test_the_first_page_has_the_verdict_and_a_figure(report, read):
    text, width, top = read[2]
    lines, rows = verdict(report.with_name("summary.md"))
    assert lines
    assert all(line in text for line in lines)
    assert all(row[0] in text for row in rows)
    assert width > 100  # pixels
    assert top >= 0  # nothing is out of reach


def test_figures_have_a_size_tables_and_notebooks_are_pages(read):
    for _, name, look in read[0]:
        expected = {"html": "page", "csv": "file"}.get(name.rpartition(".")[2])
        assert look == expected if expected else look > 100  # pixels


def test_nothing_leaves_the_page_and_nothing_fails(report, read):
    events = read[1]
    requests = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert requests
    assert {url for url in requests if not url.startswith("data:")} == {report.resolve().as_uri()}
    assert [event for event in events if failed(event)] == []


def failed(event) -> bool:
    kind, facts = event["method"], event["params"]
    return (
        kind in ("Runtime.exceptionThrown", "Network.loadingFailed")
        or (kind == "Log.entryAdded" and facts["entry"]["level"] == "error")
        or (kind == "Runtime.consoleAPICalled" and facts["type"] in ("error", "assert"))
    )
