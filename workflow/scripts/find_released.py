"""Look for the released checkpoints that a preset names, and for the authors' raw results; note which there are."""

import json
from pathlib import Path

from _entry import job

with job(snakemake):
    from ffc.paper import authors
    from ffc.store.records import write_bytes
    from ffc.store.released import collect

    note, params = Path(snakemake.output[0]), snakemake.params
    insist = params.mode == "released"
    raw = authors.files_of(params.figures)
    found = collect(params.files, note.parent / ".released", params.source, params.sha256, insist, raw)
    found["authors"] = authors.drawable(params.figures, found["extra"])
    write_bytes(note, (json.dumps(found, indent=2) + "\n").encode())
