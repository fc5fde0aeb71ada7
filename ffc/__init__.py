"""Sequential neural computation, solved in parallel and exactly."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ffc.core.check import check
    from ffc.core.drafts import Draft, Evaluated
    from ffc.core.errors import FFCError
    from ffc.core.solution import Solution, Status
    from ffc.core.solve import RowAbove, history_of, solve
    from ffc.core.solvers import GSJacobi, Jacobi, JacobiGS, Sequential
    from ffc.core.system import System
    from ffc.core.tune import race
    from ffc.recurrence import Chunks, Newton, Picard, QuasiNewton, Recurrence

__version__ = "0.1.0"
__all__ = [
    "Chunks",
    "Draft",
    "Evaluated",
    "FFCError",
    "GSJacobi",
    "Jacobi",
    "JacobiGS",
    "Newton",
    "Picard",
    "QuasiNewton",
    "Recurrence",
    "RowAbove",
    "Sequential",
    "Solution",
    "Status",
    "System",
    "check",
    "history_of",
    "race",
    "solve",
]


def __getattr__(name: str) -> Any:
    """Return what `__all__` names, from where it is imported above for tools that read code.

    JAX takes seconds to import. Figures, tables and the first words of a command do without.
    """
    if name in __all__:
        core = ("errors", "solvers", "system", "drafts", "solution", "solve", "check", "tune")
        for module in (*(f"ffc.core.{name}" for name in core), "ffc.recurrence"):
            names = vars(import_module(module))
            if name in names:
                return names[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
