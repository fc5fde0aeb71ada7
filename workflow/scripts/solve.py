"""One solver of one task, or several, one after the other."""

from pathlib import Path

from _entry import job

with job(snakemake):
    from ffc.paper.experiments import Job, run_all

    told, given = snakemake.params.told, snakemake.input
    files = {name: Path(path) for name in ("data", "checkpoint") if (path := given.get(name))}
    paths = dict(zip(told["settings"], map(Path, snakemake.output), strict=True))
    jobs = []
    for solver, settings in told["settings"].items():
        answer = told["references"][solver]  # is given, or will have been made
        reference = None if answer == solver else Path(given.get("reference", paths[solver].with_name(f"{answer}.npz")))
        jobs.append(Job(told["task"], settings, solver, told["seed"], told["repeats"], **files, reference=reference))
    for solver, record in zip(paths, run_all(jobs), strict=True):
        record.save(paths[solver])
