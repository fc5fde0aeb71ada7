"""Look for the released checkpoints and models in the box that a preset names, and for the authors' raw results."""

import json
from pathlib import Path

from _entry import job

with job(snakemake):
    from ffc import box
    from ffc.core.errors import FFCError
    from ffc.paper import authors
    from ffc.store.records import write_bytes
    from ffc.store.released import collect

    note, params = Path(snakemake.output[0]), snakemake.params
    insist = params.mode == "released"
    raw = authors.files_of(params.figures)
    found = collect(params.files, note.parent / ".released", params.source, params.sha256, insist, raw)
    found["box"] = {name: box.about(name)["sha256"] for name in params.box if name in box.names()}
    if lacking := [name for name in params.box if name not in found["box"]]:
        print(f"{', '.join(lacking)}: not in the box, which has {', '.join(box.names())}")
        if insist:
            raise FFCError(
                f"checkpoints.mode is `released`, but the box has no {', '.join(lacking)}; set the mode to auto"
            )
    found["authors"] = authors.drawable(params.figures, found["extra"])
    write_bytes(note, (json.dumps(found, indent=2) + "\n").encode())
