"""One solver of one task, or several, one after the other."""

from pathlib import Path

from _entry import job

with job(snakemake):
    from ffc.paper.experiments import Job, run_all

    request, inputs = snakemake.params.request, snakemake.input
    files = {name: Path(path) for name in ("data", "checkpoint") if (path := inputs.get(name))}
    paths = dict(zip(request["settings"], map(Path, snakemake.output), strict=True))
    jobs = []
    for solver, settings in request["settings"].items():
        answer = request["references"][solver]  # is given, or will have been made
        beside = paths[solver].with_name(f"{answer}.npz")
        files["reference"] = None if answer == solver else Path(inputs.get("reference", beside))
        jobs.append(Job(request["task"], settings, solver, request["seed"], request["repeats"], **files))
    for solver, record in zip(paths, run_all(jobs), strict=True):
        record.save(paths[solver])
