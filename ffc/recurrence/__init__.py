"""Any recurrence x_{t+1} = step(weights, x_t, input_t), evaluated in parallel over time; knows no model.

`Recurrence` is the triangular system, for every solver. Affine recurrences compose (`affine_states`), those that forget
run in chunks (`chunked_states`), differentiable ones yield to Newton's method (`newton_states`).
"""

from ffc.recurrence.affine import affine_states
from ffc.recurrence.chunks import Chunked, chunked_states
from ffc.recurrence.newton import Jacobian, Linear, Newton, diagonal_jacobian, full_jacobian, newton_states
from ffc.recurrence.system import Recurrence, Step

__all__ = [
    "Chunked",
    "Jacobian",
    "Linear",
    "Newton",
    "Recurrence",
    "Step",
    "affine_states",
    "chunked_states",
    "diagonal_jacobian",
    "full_jacobian",
    "newton_states",
]
