"""What a command may ask for that no rule makes, and why it is not made."""

import os
import re
from collections.abc import Mapping
from typing import Any

from jobs import records_of

from ffc.core.names import nearest


def pattern(presets: Mapping[str, Any]) -> str:
    """Return what such targets match: names, absolute paths, and files of a preset or a solver that there is not."""
    records = [record for name, preset in presets.items() for record in records_of(name, preset)]
    joined = "|".join(name for name, preset in presets.items() if preset.get("one_process")) or "(?!)"
    return (
        rf"/.+|[^/.]+|results/\w+/report\.html|results/(?!(?:{'|'.join([*presets, 'reference'])})/).+"
        rf"|(?!(?:{'|'.join(records)})$)results/(?:{joined})/records/.+"
    )


def problem_of(target: str, presets: Mapping[str, Any], faults: Mapping[str, str]) -> str:
    """Return why no rule makes `target`; `faults` says what is wrong with presets that are not sound."""
    preset = target.split("/")[1] if target.startswith("results/") else target
    if target.startswith("/"):
        return f"{target}: name a file from the folder where the run takes place: {os.path.relpath(target)}"
    if preset in faults:
        return faults[preset]
    if preset in presets and target.endswith("/report.html"):
        return f"{target}: Snakemake writes it at the end of a run; again: snakemake {preset} --report {target}"
    if problem := preset in presets and problem_of_record(target, presets):
        return problem
    names = [*presets, "all", "bench", "reference"]
    return (
        f"{target}: no target has this name{nearest(preset, names)}; targets are {', '.join(names)}, and paths of files"
    )


def problem_of_record(target: str, presets: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a record of a solver which its task does not have."""
    path = re.fullmatch(r"results/(\w+)/records/(\w+)/(?!gradients_)(\w+)\.npz", target)
    preset, task, solver = path.groups() if path else ("", "", "")
    solvers = presets.get(preset, {}).get("tasks", {}).get(task, {}).get("solvers", [solver])
    if solver in solvers:
        return None
    problem = f"has no {solver}{nearest(solver, solvers)}; it has {', '.join(solvers)}"
    return f"config/presets/{preset}.yaml: tasks.{task}.solvers {problem}"
