"""Sequential neural computation, solved in parallel and exactly."""

from ffc.check import check
from ffc.errors import FFCError
from ffc.history import Trace
from ffc.solution import Solution, Status
from ffc.solve import Exact, RowAbove, Tolerance, solve
from ffc.solvers import GSJacobi, Jacobi, JacobiGS, Sequential
from ffc.system import System

__version__ = "0.1.0"
__all__ = [
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
