"""What `solve` must do, in plain NumPy: iteration by iteration, one sample and one block after the other."""

from typing import NamedTuple

import numpy as np

from ffc import RowAbove, Status


class Run(NamedTuple):
    """A solve of `zoo.Weighted` whole numbers, or `zoo.Fragile` that a limit ended."""

    x: np.ndarray  # [batch, N] as the last iteration left it
    value: np.ndarray  # [batch, N]
    certified: np.ndarray  # [batch]
    iterations: np.ndarray  # [batch]
    status: list[Status]
    undrafted: np.ndarray  # [batch]


def run(system, solver, x0=None, tolerance=(0, 0)) -> list[Run]:
    """The solves with the limits 0 … N, the last of which needs none; `tolerance` is (absolute, relative).

    Of a solver's draft, `plain(b, x, begin, j, before, after, outputs, first)` is the next value of block `begin` + j
    of sample b.
    """
    with np.errstate(all="ignore"):
        loop = _Loop(system, solver, x0, tolerance)
        runs: list[Run] = []
        while going := [b for b, status in enumerate(loop.status) if status is Status.RUNNING]:
            runs += [loop.stopped()] * (max(loop.iterations[going]) + 1 - len(runs))
            loop.iterate(going)
        return runs + [loop.stopped()] * (loop.size + 1 - len(runs))


def evaluate(system, x, b, i):
    """Block i of sample b from the state `x` [N], and its sum."""
    weights, fragile = system.weights, hasattr(system, "breaks")
    row = (weights if weights.ndim == 2 else weights[b])[i]
    total = system.u[b, i] + np.sum(row * (x + 0 * np.sum(x * x * x) if fragile else x), dtype=np.float32)
    return (system.bad[b] if fragile and system.breaks[b] == i else np.mod(total, np.float32(7))), total


def first_block(system, width, prefix):
    """Where the window of a prefix begins."""
    size, row, at = system.size, system.row_length, prefix
    if system.waits == "half a window":
        at -= at % -(-width // 2)
    elif width % row == 0:
        at -= at % row
    elif width < row:
        at = min(at, at - at % row + row - width)  # the window stays in the row
    return min(at, size - width)


class _Loop:
    def __init__(self, system, solver, x0, tolerance):
        arrays = {name: np.asarray(leaf) if hasattr(leaf, "shape") else leaf for name, leaf in vars(system).items()}
        self.system, self.size, self.tolerance = type(system)(**arrays), system.size, tolerance
        self.draft = getattr(solver, "draft", None)
        self.schedule = solver.schedule(self.size)
        width, row, batch = self.schedule.window, system.row_length, len(system.u)
        self.above = isinstance(x0, RowAbove) and width < self.size and (width % row == 0 or 1 < width < row)
        self.by_windows = self.schedule.cached and system.has_windows
        self.first = np.asarray(system.initial())
        self.guess = self.first if x0 is None or isinstance(x0, RowAbove) else np.array(x0, np.float32)
        self.x, self.status, self.drafting = self.guess.copy(), [Status.RUNNING] * batch, np.ones(batch, bool)
        self.prefix, self.certified, self.met, self.iterations = np.zeros((4, batch), int)

    def stopped(self) -> Run:
        ended = [Status.ITERATION_LIMIT if status is Status.RUNNING else status for status in self.status]
        broken = np.array([status is Status.NOT_FINITE for status in ended])[:, None]
        value = np.where(broken & (np.arange(self.size) >= self.certified[:, None]), self.guess, self.x)
        return Run(self.x.copy(), value, self.certified.copy(), self.iterations.copy(), ended, ~self.drafting)

    def iterate(self, going):
        slowest = min(self.prefix[going])
        waits = self.system.waits
        in_step = waits == "half a window" or self.schedule.together
        row = self.system.row_length
        last = slowest // row * row + row - 1 if waits == "row" else self.size
        anew = [b for b in going if self.look(b, slowest if in_step else min(self.prefix[b], last))]
        if anew:  # nobody waits at the cost of its own iterations
            self.iterations[going if in_step or waits else anew] -= 1

    def look(self, b, first):
        """Whether sample `b` begins anew after an iteration whose window begins at `first`, or a little before."""
        start = first_block(self.system, self.schedule.window, first)
        x, prefix, met, row = self.x[b], self.prefix[b], self.met[b], self.system.row_length
        end = start + self.schedule.window
        for i in range(met, end) if self.above and met else ():
            above = (
                (2 * (i // row) - 1) * row + row - 1 - i if self.system.mirrored else i - row * -(-(i + 1 - met) // row)
            )
            x[i] = x[above] if i >= row else x[i]
        before, blocks = x.copy(), range(max(start, prefix), end)
        for j in range(self.schedule.block):
            here = [i for i in blocks if (i - start) % self.schedule.block == j]
            x[here] = [evaluate(self.system, x, b, i)[0] for i in here]
        finite = next((i for i in blocks if not np.isfinite(x[i])), end)
        bits = self.settled(blocks, [before[i] == x[i] for i in blocks])
        near = self.settled(blocks, [self.accepts(before[i], x[i]) for i in blocks])
        if prefix == self.certified[b]:  # nothing is proven behind blocks that were only near
            self.certified[b] = max(prefix, min(bits, finite))
        self.prefix[b], self.met[b] = max(prefix, min(near, finite)), max(met, end)
        self.iterations[b] += 1
        if finite < (end if self.draft is None else near):
            self.status[b] = Status.NOT_FINITE
        elif self.certified[b] == self.size:
            self.status[b] = Status.CERTIFIED
        elif self.prefix[b] == self.size:
            self.status[b] = Status.WITHIN_TOLERANCE
        return self.draft is not None and self.redraft(b, before, start, end)

    def accepts(self, before, after):
        return before == after or abs(after - before) <= self.tolerance[0] + self.tolerance[1] * abs(after)

    def settled(self, blocks, agrees):
        """The end of what stands: up to the first block that changed, and all of its run."""
        block, start = self.schedule.block, blocks.stop - self.schedule.window
        first = next((i for i, same in zip(blocks, agrees, strict=True) if not same), blocks.stop)
        return min(first - (first - start) % block + block, blocks.stop)

    def redraft(self, b, before, start, end):
        """Behind the prefix, the draft's values; of those that are not finite what was evaluated, or stood before."""
        prefix, after, begin = self.prefix[b], self.x[b].copy(), start if self.by_windows else 0
        for i in range(prefix, end):
            total = evaluate(self.system, before, b, i)[1]
            drafted = self.draft.plain(b, before, begin, i - begin, before[i], after[i], total, prefix - 1 - begin)
            values = (drafted, after[i], before[i]) if self.drafting[b] else (after[i], before[i])
            self.x[b, i] = next(value for value in values if np.isfinite(value))
        if self.drafting[b] and self.status[b] is Status.NOT_FINITE:
            self.x[b, prefix:end] = self.first[b, prefix:end]
            self.status[b], self.drafting[b] = Status.RUNNING, False
            return True
        return False
