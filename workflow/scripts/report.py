"""Snakemake's report of a preset. It tells of finished jobs, so a second Snakemake writes it."""

import json
import subprocess
import sys
from pathlib import Path

from _entry import job

with job(snakemake):
    from ffc.core.errors import FFCError

    output = Path(snakemake.output[0])
    unfinished, settings = output.with_name(".report.html"), output.with_name(".report.json")
    # A file, as `--config` on a command line would make text of true and false.
    settings.write_text(json.dumps({**snakemake.config, "preset": snakemake.wildcards.preset}))
    command = [sys.executable, "-m", "snakemake", "--nolock", "--configfile", str(settings), *snakemake.params.storage]
    # Their names, which a storage's local copies have below a folder of its own.
    pages = [page[page.rindex(f"results/{snakemake.wildcards.preset}/") :] for page in snakemake.input.pages]
    code = subprocess.run([*command, "--report", str(unfinished), "--", *pages]).returncode
    settings.unlink()
    if code:
        raise FFCError(f"{output}: Snakemake could not write its report; see {snakemake.log[0]}")
    unfinished.replace(output)
