"""Solvers: which blocks are evaluated together, and in which order inside.

Every solver is a point of one family, `Schedule(window, block)`. An iteration takes the window of blocks
that begins at the solved prefix, cuts it into runs of `block` neighbours, and evaluates the first block
of all runs at once, then the second of all runs, and so on, each seeing the newer values.

| solver             | window | block | elsewhere called                                                       |
|--------------------|--------|-------|------------------------------------------------------------------------|
| Sequential         | 1      | 1     | Gauss–Seidel, forward substitution, ancestral sampling                 |
| Jacobi             | N      | 1     | fixed-point or Picard iteration, Jacobi decoding, predictive sampling  |
| GSJacobi(window=w) | w      | 1     | Jacobi over a sliding window; with drafts, speculative decoding        |
| JacobiGS(block=b)  | N      | b     | Parareal without a coarse propagator, block Jacobi                     |

A solver knows nothing of models. `cached=True` lets the system evaluate only the blocks asked for
(`System.window`); `cached=False` evaluates a whole sweep at every step and keeps those blocks.

The second axis is the *draft* (`ffc.core.drafts`): what becomes of the blocks behind the first one that changed.
Without one they are what was evaluated. Jacobi and GSJacobi take one.
"""

from dataclasses import dataclass, fields
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Self, get_args

from ffc.core.errors import FFCError
from ffc.core.names import AUTO, BLOCKS

if TYPE_CHECKING:  # names of solvers are read without JAX
    from ffc.core.drafts import Draft
    from ffc.core.system import System


@dataclass(frozen=True)
class Schedule:
    """How an iteration runs over N blocks: `block` steps of `window // block` blocks each."""

    window: int
    block: int
    cached: bool
    together: bool = False  # the windows of all samples begin where the slowest one's does

    @property
    def count(self) -> int:
        """Blocks evaluated together in one step."""
        return self.window // self.block


class _Solver:
    """What is not an option of a solver is named, with those that are."""

    #: Its names in presets and on the command line, each with the options that the name sets.
    names: ClassVar[dict[str, dict[str, Any]]]
    #: The words that go with a name.
    words: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def fitted(cls, system: "System", **options: Any) -> Self:
        """Return the solver of `system` by its words (but the guess) and the options of its name; None is not said."""
        return cls(**options)

    def entry(self, system: "System") -> dict[str, Any]:
        """Return the words that `fitted` makes it from."""
        return {}


@dataclass(frozen=True)
class Sequential(_Solver):
    """One block after the other, in order: the answer by definition (paper, section 2: Gauss–Seidel)."""

    names: ClassVar = {"sequential": {"cached": False}, "cached": {"cached": True}}
    cached: bool = False

    def schedule(self, size: int) -> Schedule:
        return Schedule(window=1, block=1, cached=self.cached)


@dataclass(frozen=True)
class _Drafting(_Solver):
    """A solver that takes a draft, and names it where it has one."""

    def __repr__(self) -> str:
        options = {field.name: getattr(self, field.name) for field in fields(self)}
        shown = [f"{name}={value!r}" for name, value in options.items() if name in ("window", "cached") or value]
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(frozen=True, repr=False)
class Jacobi(_Drafting):
    """Every block at once from the previous iterate (paper, algorithm 1)."""

    names: ClassVar = {"jacobi": {}}
    words: ClassVar = ("guess", "draft")
    draft: "Draft | None" = None

    def entry(self, system: "System") -> dict[str, Any]:
        return {"draft": self.draft is not None}

    def schedule(self, size: int) -> Schedule:
        return Schedule(window=size, block=1, cached=False)


@dataclass(frozen=True, repr=False)
class GSJacobi(_Drafting):
    """Jacobi inside a window of `window` blocks, which follows the solved prefix (paper, algorithm 3).

    Each sample has a window of its own; with `together`, all windows begin where the slowest sample's does. That takes
    more iterations, each of which may cost less.
    """

    names: ClassVar = {"gs_jacobi": {}}
    words: ClassVar = ("window", "guess", "draft", "together")
    window: int
    cached: bool = True
    draft: "Draft | None" = None
    together: bool = False

    @classmethod
    def fitted(cls, system: "System", window: int | str | None = None, **options: Any) -> Self:
        """Count the window in rows, half of them by default; or "8 blocks"."""
        rows, row = system.size // system.row_length, system.row_length
        blocks = BLOCKS.fullmatch(window) if isinstance(window, str) else None
        if window is None:
            return cls(max(1, rows // 2) * row, **options)
        if isinstance(window, int) and 1 <= window <= rows:
            return cls(window * row, **options)
        if blocks and int(blocks[1]) <= system.size:
            return cls(int(blocks[1]), **options)
        raise FFCError(
            f"window: {window}; this system has {rows} rows of {row} blocks: give 1 … {rows} (rows), 'N blocks', or "
            "auto"
        )

    def entry(self, system: "System") -> dict[str, Any]:
        rows, rest = divmod(self.window, system.row_length)
        window = f"{self.window} blocks" if rest else rows
        return {"window": window, "draft": self.draft is not None, "together": self.together}

    def schedule(self, size: int) -> Schedule:
        if not isinstance(self.window, Integral) or not 1 <= self.window <= size:
            raise FFCError(
                f"GSJacobi: window is {self.window} blocks; it must be a whole number in 1 … {size}, the size of the "
                "system"
            )
        return Schedule(window=int(self.window), block=1, cached=self.cached, together=self.together)


@dataclass(frozen=True)
class JacobiGS(_Solver):
    """Jacobi across runs of `block` blocks, in order inside each run (paper, algorithm 2)."""

    names: ClassVar = {"jacobi_gs": {}}
    words: ClassVar = ("block", "guess")
    block: int
    cached: bool = True

    @classmethod
    def fitted(cls, system: "System", block: int | None = None, **options: Any) -> Self:
        """Take a row for a block by default."""
        if block is not None and (block < 1 or system.size % block):
            raise FFCError(
                f"block: {block} does not divide the system's {system.size} blocks; a row has {system.row_length}"
            )
        return cls(block or system.row_length, **options)

    def entry(self, system: "System") -> dict[str, Any]:
        return {"block": self.block}

    def schedule(self, size: int) -> Schedule:
        if not isinstance(self.block, Integral) or self.block < 1 or size % self.block:
            raise FFCError(f"JacobiGS: block is {self.block}; it must be a divisor of {size}, the size of the system")
        return Schedule(window=size, block=int(self.block), cached=self.cached)


Solver = Sequential | Jacobi | GSJacobi | JacobiGS
#: Every name of a solver that its words decide, and its class.
CLASSES: dict[str, type[Solver]] = {name: kind for kind in get_args(Solver) for name in kind.names}
#: Every solver of a sampling system, and the words that belong to it; `auto` is what a race chooses.
SOLVERS: dict[str, tuple[str, ...]] = {name: kind.words for name, kind in CLASSES.items()} | {AUTO: ("guess",)}
#: The words of all solvers, but for the guess, which is no option of one.
WORDS = tuple(dict.fromkeys(word for words in SOLVERS.values() for word in words if word != "guess"))


def owners(word: str) -> str:
    """Return the names of the solvers that `word` belongs to: "jacobi and gs_jacobi"."""
    return " and ".join(name for name, words in SOLVERS.items() if word in words)
