"""What is timed at one point."""

from typing import NamedTuple

from ffc.core.solve import RowAbove
from ffc.core.solvers import Solver
from ffc.core.system import System


class Case(NamedTuple):
    """Batches of one shape, the ways to draw them by their names in records, and where iterations begin."""

    systems: list[System]
    solvers: dict[str, Solver]
    guess: RowAbove | None = None
