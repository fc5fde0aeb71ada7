"""Sequential neural computation, solved in parallel and exactly."""

from ffc.errors import FFCError
from ffc.history import Trace
from ffc.solve import Exact, Solution, Status, Tolerance, solve
from ffc.solvers import GSJacobi, Jacobi, JacobiGS, Sequential
from ffc.system import System

__version__ = "0.1.0"
__all__ = [
    "Exact",
    "FFCError",
    "GSJacobi",
    "Jacobi",
    "JacobiGS",
    "Sequential",
    "Solution",
    "Status",
    "System",
    "Tolerance",
    "Trace",
    "solve",
]
