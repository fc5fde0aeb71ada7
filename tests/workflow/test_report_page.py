"""The report in a browser: every figure, table and notebook can be looked at, and the page asks no network."""

import pytest
from browser import CHROMIUM, Browser
from first_page import verdict
from places import ROOT

pytestmark = [
    pytest.mark.stress,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium, chromium-browser or google-chrome on PATH"),
]

#: Goes through the menu as a reader does: each category, each format, each line's eye. Returns [file, look].
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
                if (eye.download) { seen.push([eye.download, "file"]); continue; }
                eye.click();
                const shown = await until(() => view() && !sources.has(view().src) && view());
                sources.add(shown.src);
                const name = /filename=([^;]+)/.exec(shown.src)[1];
                if (shown.tagName === "IMG") await shown.decode();
                else await until(() => !shown.contentDocument);  // a page of its own, once it is there
                seen.push([name, shown.tagName === "IMG" ? shown.naturalWidth : "page"]);
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
    const {left, top} = document.querySelector("#app h1.title").getBoundingClientRect();
    const menu = document.querySelector("#app nav").getBoundingClientRect().right;
    return [document.querySelector("#app").innerText, picture().naturalWidth, top, left - menu];
})()"""


@pytest.mark.parametrize("preset", ["tiny", "quick"])
def test_all_that_was_made_is_shown_below_the_verdict_and_nothing_leaves_the_page(request, preset):
    """The report of the preset that the tests run, and that of `quick` where it has run here."""
    project = request.getfixturevalue("finished") if preset == "tiny" else ROOT
    report = project / "results" / preset / "report.html"
    if not report.exists():
        pytest.skip("results/quick/report.html is not there; snakemake quick makes it")
    with Browser() as browser:
        browser.open(report)
        for wide in (1400, 1000):
            browser.say("Emulation.setDeviceMetricsOverride", width=wide, height=900, deviceScaleFactor=1, mobile=False)
            text, width, top, left = browser.run(FIRST)
            assert top >= 0, "the page begins above the window"
            assert left >= 0, "the page begins behind the menu"
        views = browser.run(READ)

    lines, rows = verdict(report.with_name("summary.md"))
    assert lines
    assert [words for words in (*lines, *(row[0] for row in rows)) if words not in text] == []
    assert width > 100  # pixels

    patterns = ("figures/*.png", "figures/*.svg", "notebooks/*.html", "summary.csv", "summary.html")
    made = [file.name for pattern in patterns for file in report.parent.glob(pattern)]
    assert sorted(name for name, _ in views) == sorted(made)
    for name, look in views:
        expected = {"html": "page", "csv": "file"}.get(name.rpartition(".")[2])
        assert look == expected if expected else look > 100, name

    sent = [event["params"] for event in browser.events if event["method"] == "Network.requestWillBeSent"]
    requests = {one["request"]["url"] for one in sent}
    assert {url for url in requests if not url.startswith("data:")} == {report.resolve().as_uri()}
    assert [event for event in browser.events if failed(event)] == []


def failed(event) -> bool:
    kind, facts = event["method"], event["params"]
    level = facts.get("type") or facts.get("entry", {}).get("level")
    return kind in ("Runtime.exceptionThrown", "Network.loadingFailed") or (
        kind in ("Log.entryAdded", "Runtime.consoleAPICalled") and level in ("error", "assert")
    )
