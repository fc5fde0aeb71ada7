"""Seconds of the recurrent network's forward and backward pass against the length of the sequence."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core.errors import FFCError
from ffc.core.measure import interleaved, side_by_side
from ffc.core.solution import Status
from ffc.models import rnn
from ffc.paper.experiments.job import Job
from ffc.paper.experiments.rnn import sequences, start
from ffc.store.records import Record

#: Maps that an associative scan composes at a time, so that its memory does not grow with the length.
_SCANNED = 100
_SUFFICES = 1e-5  # relative to the largest adjoint: what the golden gradients are held to


class _Outcome(NamedTuple):
    """Of a pass [1, T, H]."""

    answer: jax.Array
    iterations: jax.Array
    parallel: jax.Array  # bool: found in parallel, and not in order after all


_Pass = Callable[[], _Outcome]


def run(settings: dict[str, Any], *, data: Path, seed: int, repeats: int, task: str = "rnn") -> Record:
    """Time both passes of one sequence of each of `settings["lengths"]` in every way, warm and in turn.

    Sequences are images of the data one after the other. Arrays, for each of `_FORWARD` and `_BACKWARD` by its
    name: `<name>_seconds` [lengths, repeats], `<name>_iterations` [lengths], `<name>_difference` [lengths] to the
    pass in order, relative to its largest entry, `<name>_parallel` [lengths], false where it fell back to the
    order; and `lengths`.
    """
    job = Job(task, settings | {"solvers": {"scaling": {}}}, "scaling", seed, repeats, data=data)
    pixels, params = sequences(job.load_data()).reshape(1, -1), start(job)
    cut = [_take(pixels, length, task) for length in settings["lengths"]]
    passes = side_by_side([partial(_both_passes, params, x) for x in cut])
    outcomes = iter(side_by_side([one for both in passes for ways in both for one in ways.values()]))
    rows: list[dict[str, Any]] = [{"lengths": x.shape[1]} for x in cut]
    for row, both in zip(rows, passes, strict=True):
        for ways in both:
            row |= _measured(ways, [next(outcomes) for _ in ways], repeats)
    return job.record({name: np.stack([row[name] for row in rows]) for name in rows[0]})


def _take(pixels: jax.Array, length: int, task: str) -> jax.Array:
    if length > pixels.shape[1]:
        raise FFCError(f"tasks.{task}.lengths: {length}; the data has {pixels.shape[1]} pixels: give fewer")
    return pixels[:, :length]


def _both_passes(params: rnn.Params, x: jax.Array) -> tuple[dict[str, _Pass], dict[str, _Pass]]:
    """All ways through the sequence forward, and back."""
    passed = jax.jit(rnn.forward)(params, x)
    forward: dict[str, _Pass] = {name: partial(jax.jit(one), params, x) for name, one in _FORWARD.items()}
    ways = _BACKWARD | {"jacobi": _by_jacobi(int(_sweeps(params, passed)))}
    return forward, {name: partial(jax.jit(ways[name]), params, passed) for name in _BACKWARD}


def _measured(passes: Mapping[str, _Pass], outcomes: Sequence[_Outcome], repeats: int) -> dict[str, Any]:
    """Time the passes of a pair; the first is the one in order."""
    truth = np.asarray(outcomes[0].answer)
    seconds = interleaved(passes, repeats)
    arrays: dict[str, Any] = {}
    for name, outcome in zip(passes, outcomes, strict=True):
        arrays |= {
            f"{name}_seconds": seconds[name],
            f"{name}_iterations": np.asarray(outcome.iterations),
            f"{name}_difference": np.abs(np.asarray(outcome.answer) - truth).max() / np.abs(truth).max(),
            f"{name}_parallel": np.asarray(outcome.parallel),
        }
    return arrays


def _in_order(params: rnn.Params, x: jax.Array) -> _Outcome:
    return _Outcome(rnn.forward(params, x).hidden, jnp.int32(x.shape[1]), jnp.bool_(False))


def _in_parallel(way: Callable[..., rnn.Parallel], **options: Any) -> Callable[..., _Outcome]:
    def one(params: rnn.Params, x: jax.Array) -> _Outcome:
        outcome = way(params, x, **options)
        return _Outcome(outcome.run.hidden, outcome.iterations, ~outcome.in_order)

    return one


def _backpropagation(params: rnn.Params, run: rnn.Forward) -> _Outcome:
    return _Outcome(rnn.adjoint_in_order(params, run), jnp.int32(run.slope.shape[1]), jnp.bool_(False))


def _by_jacobi(sweeps: int) -> Callable[..., _Outcome]:
    def one(params: rnn.Params, run: rnn.Forward) -> _Outcome:
        return _Outcome(rnn.adjoint_of(params, run, sweeps)[0], jnp.int32(sweeps), jnp.bool_(True))

    return one


def _by_chunks(params: rnn.Params, run: rnn.Forward) -> _Outcome:
    adjoint, solution = rnn.adjoint_by_chunks(params, run)
    settled = (solution.status_codes == Status.CERTIFIED) | (solution.status_codes == Status.WITHIN_TOLERANCE)
    return _Outcome(adjoint, solution.iterations.max(), settled.all())


def _by_scan(params: rnn.Params, run: rnn.Forward) -> _Outcome:
    scans = -(-run.slope.shape[1] // _SCANNED)
    return _Outcome(rnn.adjoint_by_scan(params, run, _SCANNED), jnp.int32(scans), jnp.bool_(True))


@jax.jit
def _sweeps(params: rnn.Params, run: rnn.Forward) -> jax.Array:
    """Return the fewest Jacobi sweeps whose adjoints are exact to float32 accuracy; known only by the exact ones."""
    system, exact = rnn.adjoint_system(params, run), rnn.adjoint_in_order(params, run)[:, ::-1]

    def off(carry):
        adjoint, _ = carry
        return jnp.abs(adjoint - exact).max() > _SUFFICES * jnp.abs(exact).max()

    return jax.lax.while_loop(off, lambda c: (system.sweep(c[0]), c[1] + 1), (system.initial(), jnp.int32(0)))[1]


#: The ways of each pass by the names of their arrays, the one in order first.
_FORWARD = {
    "sequential": _in_order,
    "deer": _in_parallel(rnn.forward_by_newton, chunk=_SCANNED),
    "quasi_deer": _in_parallel(rnn.forward_by_newton, diagonal=True),
    "forward_chunks": _in_parallel(rnn.forward_by_chunks),
}
_BACKWARD = {
    "backpropagation": _backpropagation,
    "jacobi": None,  # with as many sweeps as a length needs
    "chunks": _by_chunks,
    "scan": _by_scan,
}
