"""Snakemake's report of a preset. It tells of finished jobs, so a second Snakemake writes it."""

import json
import subprocess
import sys
from pathlib import Path

from _entry import job

with job(snakemake):
    from ffc.errors import FFCError

    output = Path(snakemake.output[0])
    unfinished = output.with_name(".report.html")
    settings = [
        f"{key}={json.dumps(value)}"
        for key, value in {**snakemake.config, "preset": snakemake.wildcards.preset}.items()
    ]
    command = [sys.executable, "-m", "snakemake", "--nolock", "--report", str(unfinished), "--config", *settings, "--"]
    if subprocess.run([*command, *snakemake.input.pages]).returncode:
        raise FFCError(f"{output}: Snakemake could not write its report; see {snakemake.log[0]}")
    unfinished.replace(output)
