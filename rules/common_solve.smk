"""What the jobs of solvers read, and what they are told."""

# Presets that start one process for all solvers of a task, unless the repeats of each are shared among jobs.
IN_ONE_PROCESS = [name for name, preset in PRESETS.items() if preset.get("one_process") and config["scatter"] == 1]

# Keys of a task that say what its files hold: a record learns that from the files, which know it for certain.
_ELSEWHERE = ("data", "train_data", "train", "released", "weights")


def solver_settings(wildcards):
    """A task's settings with the entry of one solver alone, and without what decides data and weights."""
    section = task_of(wildcards)
    settings = {key: value for key, value in section.items() if key not in _ELSEWHERE}
    about = {"experiment": experiment_of(section), "solvers": {wildcards.solver: section["solvers"][wildcards.solver]}}
    return settings | about


def told(*jobs):
    """What workflow/scripts/solve.py is told of solvers of one task: their settings, and whose answer is the reference."""
    return {
        "task": jobs[0].task,
        "settings": {job.solver: solver_settings(job) for job in jobs},
        "references": {job.solver: reference_of(task_of(job), job.solver) for job in jobs},
        "seed": preset_of(jobs[0], "seed"),
        "repeats": preset_of(jobs[0], "repeats"),
    }


def together():
    """The tasks whose solvers run in one process, as their preset wants it: the wildcards of each solver's job.

    Those that others are held against come first.
    """
    found = []
    for preset in IN_ONE_PROCESS:
        for task, section in PRESETS[preset]["tasks"].items():
            answers = {reference_of(section, solver) for solver in section["solvers"]}
            ordered = sorted(section["solvers"], key=lambda solver: solver not in answers)
            found.append([SimpleNamespace(preset=preset, task=task, solver=solver) for solver in ordered])
    return found


def sizes_settings(wildcards):
    """The preset's `scaling`, with the options of its system: its own, or those that its task samples from."""
    section = PRESETS[wildcards.preset]["scaling"]
    system = section.get("system", PRESETS[wildcards.preset]["tasks"][section["task"]].get("system", {}))
    return {key: value for key, value in section.items() if key != "task"} | {"system": system}


def solver_inputs(wildcards):
    """What a solver's job reads: data and weights where it needs any, and the sequential answer to compare with."""
    preset, task = wildcards.preset, wildcards.task
    sequential = reference_of(task_of(wildcards), wildcards.solver)
    sampling = experiment_of(task_of(wildcards)) == "sampling"
    files = {} if sampling else {"data": data_of(wildcards)}  # noise is all that a sampler sees
    if "model" in task_of(wildcards):
        files["checkpoint"] = f"results/{preset}/checkpoints/{task}.flax"
        files["about"] = f"results/{preset}/checkpoints/{task}.json"  # read with it
    if wildcards.solver != sequential:
        files["reference"] = f"results/{preset}/records/{task}/{sequential}.npz"
    return files


def solver_modules(wildcards):
    """What a solver's job finds by name: the experiment, and the model."""
    return [EXPERIMENTS[experiment_of(task_of(wildcards))], *model_modules(wildcards)]
