"""Measure `auto` against the best of its candidates: `python -m ffc.box.auto [CHECKPOINT …]`, the box's unless named.

For each sampler, and batches of 1 and 4, the race picks a solver. Then all candidates solve the whole system, warm and
in turn; a line says how many times the fastest one's median the pick needs.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ffc import box
from ffc.core import tune
from ffc.core.keys import key_of
from ffc.core.measure import interleaved
from ffc.core.named import label_of
from ffc.core.solve import solve
from ffc.store import checkpoints

BATCHES, REPEATS = (1, 4), 5


def main(files: list[str]) -> None:
    loaded = {name: checkpoints.load(name) for name in files} or {name: box.load(name) for name in box.names()}
    for name, checkpoint in loaded.items():
        model: Any = checkpoint.model  # a `Sampler`
        options = {"quantize": "8bit"} if model.kind == "pixelcnnpp" else {}
        for batch in BATCHES:
            system = model.system_with(options, checkpoint.params, model.noise(key_of(0), batch))
            solvers = [*tune.candidates(system)]
            pick = tune.fastest(system, solvers)
            runs = {label_of(solver, system): partial(solve, system, solver) for solver in [*solvers, pick]}
            for run in runs.values():
                run().block_until_ready()
            medians = {label: float(np.median(seconds)) for label, seconds in interleaved(runs, REPEATS).items()}
            best = min(medians, key=lambda label: medians[label])
            choice = label_of(pick, system)
            ratio = medians[choice] / medians[best]
            print(f"{Path(name).stem}, batch {batch}: {choice}, {ratio:.2f} times {best}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
