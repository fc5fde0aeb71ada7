"""What a command asks of Snakemake: presets that it needs, and names that nothing has.

Nothing here imports `ffc`, as in `presets.py`.
"""

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


def of_command(words: Sequence[str]) -> list[str]:
    """The targets that a command line names; none where it is not Snakemake's (its API, a job of its own).

    Snakemake itself tells no Snakefile what was asked for.
    """
    program = Path(words[0])
    if "snakemake" not in (program.stem, program.parent.name):  # or python -m snakemake
        return []
    from snakemake.cli import get_argument_parser

    return list(get_argument_parser().parse_known_args(words[1:])[0].targets or [])


def asks_for(preset: str, targets: Iterable[str]) -> bool:
    """Whether one of `targets` is the preset, or a file of it."""
    return any(target == preset or target.startswith(f"results/{preset}/") for target in targets)


def problem_of(targets: Iterable[str], known: Collection[str]) -> str | None:
    """What is wrong with the first target that looks like a name (not like a file) and is none of `known`."""
    for target in targets:
        if target in known or "/" in target or "." in target:
            continue
        whole = ", ".join(sorted(name for name in known if "_" not in name))
        return (
            f"{target}: no target has this name{_nearest(target, known)}; targets are {whole}, and the paths of files"
        )
    return None


def problem_of_records(targets: Iterable[str], presets: Mapping[str, Any]) -> str | None:
    """What is wrong with the first target that is a record of a solver which its task does not have."""
    for target in targets:
        path = re.fullmatch(r"results/(\w+)/records/(\w+)/(?!gradients_)(\w+)\.npz", target)
        preset, task, solver = path.groups() if path else ("", "", "")
        solvers = presets.get(preset, {}).get("tasks", {}).get(task, {}).get("solvers", {solver})
        if solver not in solvers:
            return (
                f"config/presets/{preset}.yaml: tasks.{task}.solvers has no {solver}{_nearest(solver, solvers)}; "
                f"it has {', '.join(solvers)}"
            )
    return None


def _nearest(word: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""
