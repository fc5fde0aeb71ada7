"""`ffc sample --animate OUT.gif`: the sequential and the parallel sampler side by side."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ffc.core.errors import FFCError
from ffc.core.named import entry_of, solver_by_name
from ffc.core.solvers import Solver
from ffc.core.system import System, batch_size
from ffc.models import Sampler
from ffc.paper import animation
from ffc.store.records import write_bytes

#: What an animation calls the sequential solvers.
BASELINES = {"cached": "one after the other (cached)", "sequential": "one after the other (whole sweeps)"}
#: Samples of an animation at most, whose iterates are in memory; the first sixteen are shown.
MOST = 100


def contestants(system: System, solver: Solver, baseline: str) -> dict[str, Solver]:
    """Return both solvers by what an animation calls them; `FFCError` where they cannot be shown side by side."""
    entry, batch = entry_of(solver, system), batch_size(system.initial())
    if entry["solver"] in BASELINES:
        raise FFCError(
            f"--animate compares a parallel solver with a sequential one, which {entry['solver']} is; name another, "
            "say --solver gs_jacobi"
        )
    if batch > MOST:
        raise FFCError(f"--animate: iterates of {batch} samples could fill the memory; give --batch {MOST} or less")
    parallel = f"in parallel ({entry['solver']}{', drafted' if entry.get('draft') else ''})"
    return {BASELINES[baseline]: solver_by_name(baseline, system), parallel: solver}


def write(path: Path, model: Sampler, system: System, solvers: Mapping[str, Solver], guess: Any) -> str:
    """Time both solvers, write what they did, and return how long each took."""
    runs, clock = animation.race(model, system, solvers, guess)
    write_bytes(path, animation.gif(animation.frames(runs, clock)))
    return "; ".join(f"{run.name} {run.seconds:.3g} s" for run in runs)
