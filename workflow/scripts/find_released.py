"""Look for the released checkpoints and models in the box that a preset names, and for the authors' raw results."""

import json
from pathlib import Path

from _entry import job

with job(snakemake):
    from ffc.paper.released import look_for
    from ffc.store.records import write_bytes

    note, params = Path(snakemake.output[0]), snakemake.params
    settings = {name: params[name] for name in ("mode", "source", "sha256")}
    content = look_for(params.files, params.box, params.figures, note.parent / ".released", **settings)
    write_bytes(note, (json.dumps(content, indent=2) + "\n").encode())
