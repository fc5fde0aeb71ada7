"""The report in a browser: every figure, table and notebook can be looked at, and the page asks no network."""

import json
import shutil
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from places import ROOT

from ffc.paper.first_page import verdict

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
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
#: At the head of a copy of the page: it goes through it, and sends what it saw, with errors and all that was asked for.
DRIVER = f"""<script>
    const trouble = [];
    for (const kind of ["error", "unhandledrejection"])
        addEventListener(kind, event => trouble.push([kind, event.message, String(event.reason)]), true);
    console.error = (...words) => trouble.push(words.join(" "));
    console.assert = (holds, ...words) => holds || trouble.push(words.join(" "));
    addEventListener("load", async () => {{
        const told = {{trouble}};
        try {{ told.first = await {FIRST}; told.views = await {READ}; }}
        catch (error) {{ trouble.push(String(error)); }}
        told.sent = performance.getEntriesByType("resource").map(one => one.name);
        fetch("ADDRESS", {{method: "POST", body: JSON.stringify(told)}});
    }});
</script>"""


class Listener(BaseHTTPRequestHandler):
    """Takes what the page sends."""

    def do_POST(self):
        self.server.told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_):
        pass


def looked_at(report: Path, folder: Path, width: int) -> dict:
    """What the driver sends of a report in a window of this width."""
    head, tag, body = report.read_text().partition("<head>")
    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        server.timeout, server.told = 300, None
        driver = DRIVER.replace("ADDRESS", f"http://127.0.0.1:{server.server_port}")
        (folder / "report.html").write_text(head + tag + driver + body)
        options = [*QUIET, f"--window-size={width},900", f"--user-data-dir={folder / 'browser'}"]
        with subprocess.Popen([CHROMIUM, *options, folder / "report.html"], stderr=subprocess.DEVNULL) as browser:
            server.handle_request()
            browser.terminate()
    assert server.told, "the page did not end"
    return server.told


@pytest.mark.parametrize("preset", ["tiny", "quick"])
def test_all_that_was_made_is_shown_below_the_verdict_and_nothing_leaves_the_page(request, tmp_path, preset):
    """The report of the preset that the tests run, and that of `quick` where it has run here."""
    project = request.getfixturevalue("finished") if preset == "tiny" else ROOT
    report = project / "results" / preset / "report.html"
    if not report.exists():
        pytest.skip("results/quick/report.html is not there; snakemake quick makes it")
    lines, rows = verdict(report.with_name("summary.md"))
    assert lines
    for wide in (1400, 1000):
        told = looked_at(report, tmp_path, wide)
        assert told["trouble"] == []
        assert [url for url in told["sent"] if not url.startswith("data:")] == []
        text, width, top, left = told["first"]
        assert top >= 0, "the page begins above the window"
        assert left >= 0, "the page begins behind the menu"
        assert [words for words in (*lines, *(row[0] for row in rows)) if words not in text] == []
        assert width > 100  # pixels

    patterns = ("figures/*.png", "figures/*.svg", "notebooks/*.html", "summary.csv", "summary.html")
    made = [file.name for pattern in patterns for file in report.parent.glob(pattern)]
    assert sorted(name for name, _ in told["views"]) == sorted(made)
    for name, look in told["views"]:
        expected = {"html": "page", "csv": "file"}.get(name.rpartition(".")[2])
        assert look == expected if expected else look > 100, name
