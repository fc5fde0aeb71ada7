"""Error curves of a solver to its own answer.

A window may differ from a whole sweep in the last bits. An error to the sequential answer would then never vanish, and
hide where the solver ended; how far apart the two are is another number.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import jax
import numpy as np

from ffc.core.drafts import Draft
from ffc.core.history import History, Trace, in_order
from ffc.core.solve import RowAbove, solve
from ffc.core.solvers import Sequential, Solver
from ffc.core.system import State, System


class Curves:
    """The curves of one solve, and its iterates at the iterations `shown`.

    Nobody has the answer before a first run has found it. So a second run keeps them, by a program of its own. A
    sequential solver needs none: what it holds on the way follows from its answer.
    """

    def __init__(self, system: System, solver: Solver, guess: State | RowAbove | None, shown: tuple[int, ...]):
        self._system, self._solver, self._guess, self._shown = system, solver, guess, shown
        self._program: Callable[..., History] | None = None

    def compile(self) -> None:
        """Make the program; any thread may do it while another one makes that of the solve itself."""
        if self._in_order:
            return
        solver, draft = self._solver, self._draft

        def run(system: System, answer: State, guess, draft) -> History:
            given = solver if draft is None else replace(solver, draft=draft)  # its arrays are arguments, too
            return cast(History, solve(system, given, trace=self._trace(answer), guess=guess).history)

        answer = jax.eval_shape(self._system.initial)
        self._program = jax.jit(run).lower(self._system, answer, self._guess, draft).compile()

    def to(self, answer: State, length: int) -> History:
        """The curves to `answer`, with a row for each of `length` iterations; after `compile`."""
        if self._program is None:
            history = in_order(self._system.initial() if self._guess is None else self._guess, self._trace(answer))
        else:
            history = self._program(self._system, answer, self._guess, self._draft)
        cut = {
            name: np.asarray(curve)[: length + 1] for name, curve in history._asdict().items() if name != "snapshots"
        }
        return history._replace(**cut)

    @property
    def _draft(self) -> Draft | None:
        return getattr(self._solver, "draft", None)

    @property
    def _in_order(self) -> bool:
        return isinstance(self._solver, Sequential) and not isinstance(self._guess, RowAbove)

    def _trace(self, answer: State) -> Trace:
        """As long as any run can be: how many iterations this one takes is not known when it is compiled."""
        return Trace(answer, self._system.size, self._shown)
