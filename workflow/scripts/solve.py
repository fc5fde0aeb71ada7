"""One solver of one task, or several, one after the other."""

from pathlib import Path

from _entry import job

with job(snakemake):
    from ffc.paper.experiments import run

    told, given = snakemake.params.told, snakemake.input
    files = {name: given.get(name) for name in ("data", "checkpoint")}
    for solver, path in zip(told["settings"], map(Path, snakemake.output), strict=True):
        answer = told["references"][solver]  # is given, or was made a moment ago
        reference = None if answer == solver else given.get("reference", path.with_name(f"{answer}.npz"))
        asked = {"seed": told["seed"], "repeats": told["repeats"], "reference": reference}
        run(told["task"], told["settings"][solver], solver, **files, **asked).save(path)
