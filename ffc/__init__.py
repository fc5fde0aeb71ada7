"""Sequential neural computation, solved in parallel and exactly."""

from ffc.core.check import check
from ffc.core.drafts import Draft, Evaluated
from ffc.core.errors import FFCError
from ffc.core.history import Trace
from ffc.core.solution import Solution, Status
from ffc.core.solve import Exact, RowAbove, Tolerance, solve
from ffc.core.solvers import Chained, GSJacobi, Jacobi, JacobiGS, Sequential
from ffc.core.system import System

__version__ = "0.1.0"
__all__ = [
    "Chained",
    "Draft",
    "Evaluated",
    "Exact",
    "FFCError",
    "GSJacobi",
    "Jacobi",
    "JacobiGS",
    "RowAbove",
    "Sequential",
    "Solution",
    "Status",
    "System",
    "Tolerance",
    "Trace",
    "check",
    "solve",
]
