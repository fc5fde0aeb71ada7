"""Any recurrence x_{t+1} = step(weights, x_t, input_t), evaluated in parallel over time; knows no model.

`Recurrence` is the triangular system, for every solver of `solve`. `drafts.py` has the Newton family, drafts of its
own: `solve(recurrence, Jacobi(draft=Newton()), atol=…)`. `Chunks` is a view of it whose blocks are runs of steps.
Affine recurrences whose matrices are known compose (`affine_states`).
"""

from ffc.recurrence.affine import affine_states
from ffc.recurrence.chunks import Chunks
from ffc.recurrence.drafts import Newton, Picard, QuasiNewton
from ffc.recurrence.system import Recurrence, Step

__all__ = ["Chunks", "Newton", "Picard", "QuasiNewton", "Recurrence", "Step", "affine_states"]
