"""Error curves of a solver to its own answer.

A window may differ from a whole sweep in the last bits. An error to the sequential answer would then never vanish, and
hide where the solver ended; how far apart the two are is another number.
"""

import numpy as np

from ffc.core.history import History, Trace, in_order
from ffc.core.solution import Solution
from ffc.core.solve import RowAbove, history_of
from ffc.core.solvers import Sequential, Solver
from ffc.core.system import State, System


def curves(
    system: System, solver: Solver, guess: State | RowAbove | None, solution: Solution, shown: tuple[int, ...]
) -> History:
    """The curves of `solution`, which `solver` found from `guess`, and its iterates at the iterations `shown`.

    A row for each iteration of the slowest sample, and one for the guess. Nobody has the answer before a first run has
    found it. So a second run keeps them; but what a sequential solver holds on the way follows from its answer.
    """
    iterations = int(np.max(np.asarray(solution.iterations)))
    trace = Trace(solution.value, system.size, shown)  # as long as any run can be: solvers share its programs
    if isinstance(solver, Sequential) and not isinstance(guess, RowAbove):
        history = in_order(system.initial() if guess is None else guess, trace)
    else:
        history = history_of(system, solver, trace, iterations, guess)
    cut = {
        name: np.asarray(curve)[: iterations + 1] for name, curve in history._asdict().items() if name != "snapshots"
    }
    return history._replace(**cut)
