"""Snakemake's report of a preset. It tells of finished jobs, so a second Snakemake writes it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from _entry import job

with job(snakemake):
    from ffc.core.errors import FFCError
    from workflow.first_page import first_page

    output = Path(snakemake.output[0])
    unfinished, settings, first = (output.with_name(f".report.{suffix}") for suffix in ("html", "json", "rst"))
    # A file, as `--config` on a command line would make text of true and false.
    settings.write_text(json.dumps({**snakemake.config, "preset": snakemake.wildcards.preset}))
    about = Path("workflow/report/workflow.rst").read_text(encoding="utf-8")
    summary = next(Path(page) for page in snakemake.input.pages if page.endswith("summary.md"))
    first.write_text(first_page(about, summary, summary.with_name("figures")), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--nolock", "--configfile", str(settings), *snakemake.params.storage]
    # Their names, which a storage's local copies have below a folder of its own.
    pages = [page[page.rindex(f"results/{snakemake.wildcards.preset}/") :] for page in snakemake.input.pages]
    environment = os.environ | {"FFC_FIRST_PAGE": str(first.absolute())}
    code = subprocess.run([*command, "--report", str(unfinished), "--", *pages], env=environment).returncode
    settings.unlink()
    first.unlink()
    if code:
        raise FFCError(f"{output}: Snakemake could not write its report; see {snakemake.log[0]}")
    unfinished.replace(output)
