"""Any recurrence x_{t+1} = step(weights, x_t, input_t), evaluated in parallel over time; knows no model.

`Recurrence` is the triangular system, for every solver of `solve`. `solve_recurrence` adds the methods of a recurrence
(`methods.py`): in order, in chunks, and the Newton family. Affine recurrences whose matrices are known compose
(`affine_states`).
"""

from ffc.recurrence.affine import affine_states
from ffc.recurrence.methods import Chunks, InOrder, Newton, Picard, QuasiNewton
from ffc.recurrence.solve import RecurrenceSolution, solve_recurrence
from ffc.recurrence.system import Recurrence, Step

__all__ = [
    "Chunks",
    "InOrder",
    "Newton",
    "Picard",
    "QuasiNewton",
    "Recurrence",
    "RecurrenceSolution",
    "Step",
    "affine_states",
    "solve_recurrence",
]
