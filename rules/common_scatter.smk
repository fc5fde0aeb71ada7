"""What the rules of shared repeats share: which tasks they are for, and who does how many."""

# Tasks whose solvers' repeats several jobs may share; those of the others are over in a moment.
SCATTERED = [
    task
    for task in TASKS
    if all(experiment_of(preset["tasks"][task]) == "sampling" for preset in PRESETS.values() if task in preset["tasks"])
]


def parts_of(wildcards):
    """The records of the jobs that share a solver's repeats; one job where a race decides what is timed."""
    entry = solver_settings(wildcards)["solvers"][wildcards.solver]
    raced = "auto" in (wildcards.solver, entry.get("solver"), entry.get("window"))
    parts = 1 if raced else min(config["scatter"], preset_of(wildcards, "repeats"))
    folder = f"results/{wildcards.preset}/records/{wildcards.task}/.{wildcards.solver}"
    return [f"{folder}/{part}of{parts}.npz" for part in range(1, parts + 1)]


def share_of_repeats(wildcards):
    repeats, part, parts = preset_of(wildcards, "repeats"), int(wildcards.part), int(wildcards.parts)
    return repeats // parts + (part <= repeats % parts)
