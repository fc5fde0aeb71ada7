"""Each mistake in what the library is given is one sentence: it names the argument, the place, and the cure."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import zoo

from ffc import Draft, FFCError, GSJacobi, Jacobi, JacobiGS, check, solve
from ffc.core import tune
from ffc.core.named import solver_by_name
from ffc.recurrence import Picard

U = jnp.ones((2, 4))
LINE, ROWS = zoo.Line(U, zoo.add), zoo.whole_numbers(0, row_length=3)
SHORT = zoo.variant(Draft, redraft=lambda self, system, seen: seen.after[:, 1:])
SEVERAL = zoo.variant(zoo.Leaves, supports_window=lambda *_: True)(U[:, 0])


def unknown(base):
    """A class that nobody has told JAX of."""
    return dataclass(frozen=True)(type("Unknown", (base,), {}))


def odd(**members):
    return lambda: solve(zoo.variant(zoo.Line, **members)(U, zoo.add), GSJacobi(2))


def windowed(window):
    return odd(supports_window=lambda *_: True, window=lambda self, cache, x, *_: window(cache, x[:, :2]))


def solved(solver=Jacobi(), system=LINE, **options):  # noqa: B008 - a frozen object
    return lambda: solve(system, solver, **options)


def named(*arguments, system=ROWS, **options):
    return lambda: solver_by_name(*arguments, system=system, **options)


def examples(example):
    return lambda: check(zoo.like(replace(ROWS, has_windows=False), example=example))


#: A call, and what its sentence says: the argument first, then the place, what it is, and what it should be.
MISTAKES = [
    # what is solved
    (solved(system=U), "system: .* is no System; give an object of a subclass of ffc.System"),
    (solved(system=unknown(zoo.Line)(U, zoo.add)), "system: JAX does not know the class Unknown; write @jax"),
    (odd(size=60), "system: the size of Variant is 60, but initial returns 4 blocks"),
    (odd(initial=lambda self: jnp.zeros(4)), r"system: initial of Variant has the shape \(4,\)"),
    (odd(sweep=lambda self, x: jnp.float16(x)), r"system: sweep of Variant returns float16\[2, 4\]; in.* float32"),
    (odd(sweep=lambda self, x: x if x.sum() > 0 else -x), r"system: sweep of Variant fails \(Attempted boolean conv"),
    (windowed(lambda cache, x: (x[:, :1], cache)), r"system: window of Variant returns float32\[2, 1\] for 2"),
    (windowed(lambda cache, x: (x, jnp.int32(0))), r"system: window of Variant makes int32\[\] of the cache \(\)"),
    (solved(GSJacobi(2), SEVERAL), "system: Variant supports windows, and its state is {'a': .*; let it be one array"),
    (solved(system=zoo.Line(torch.ones(2, 4), zoo.add)), r"system: Line holds tensor\(.*is no array of JAX; make it"),
    # how
    (solved(Jacobi), r"solver: .* is no solver; give Jacobi\(\)"),
    (solved(adjoint="jacobi"), "solver: 'jacobi' is no solver"),
    *((solved(GSJacobi(width)), f"GSJacobi: window is {width} blocks; .* 1 … 4") for width in (0, 5, 2.5)),
    *((solved(JacobiGS(block)), f"JacobiGS: block is {block}; .*divisor of 4") for block in (0, 3, 2.0)),
    (solved(Jacobi(draft=SHORT())), r"draft: redraft of Variant returns float32\[2, 3\]; the window is float32\[2, 4"),
    (solved(Jacobi(draft=unknown(Draft)())), "draft: JAX does not know the class Unknown"),
    (solved(Jacobi(draft=Picard)), "draft: <class .*Picard'> is no Draft; give an object"),
    # until when, and from where
    *((solved(max_iterations=n), f"max_iterations: it is {n!r}; give a whole number") for n in ("all", 2.5, -1)),
    *((solved(atol=t), f"atol: it is {t}; give a number from 0") for t in (None, float("nan"), -1)),
    (solved(rtol=-1), "rtol: it is -1; give a number"),
    (solved(system=zoo.Line(U > 0, jnp.logical_xor), atol=1.0), "atol: .* nothing for truth values"),
    (solved(max_iterations=1, throw=True), "solve: 2 of 2 samples stopped at the iteration limit"),
    (lambda: jax.jit(lambda: solved(throw=True)().value)(), "throw: not inside jit"),
    (solved(x0=[1.0, 2.0]), r"x0: it has the shape \[\(\), \(\)\]; a state"),
    (solved(x0=U[:, :3]), r"x0: it has the shape \(2, 3\); a state of this system has \(2, 4\)"),
    # names and races
    (named("newton"), "solver 'newton': expected one of sequential"),
    *((named("gs_jacobi", window=w), f"window: {w}; .*4 rows of 3 blocks: give 1 … 4") for w in (5, 0, "13 blocks")),
    (named("gs_jacobi", window="2 rows"), "window: 2 rows; .*'N blocks', or auto"),
    (named("jacobi_gs", block=5), "block: 5 does not divide the system's 12 blocks"),
    (named("jacobi", together=True), "together: jacobi takes none"),
    (named("auto", draft=True), "draft: auto takes none; it belongs to jacobi and gs_jacobi"),
    (lambda: tune.race(ROWS, []), "race: no candidates"),
    (lambda: tune.race(zoo.unconnected(batch=0), [Jacobi()]), "race: the system has no blocks or no"),
    # check
    (lambda: check(LINE, blocks=[4]), "blocks: 4 is no block of this system; give numbers from 0 to 3"),
    (lambda: check(LINE, windows=[(4, 1)]), r"windows: \(4, 1\) is no window of this system"),
    (lambda: check(LINE, draws=0), "draws: expected a whole number of at least 1, not 0"),
    (examples(lambda self, key: jnp.asarray(zoo.in_order(ROWS))), "system: example of Variant gives one state alone"),
    (examples(lambda self, key: jnp.zeros(3)), r"system: example of Variant gives float32\[3\]; a state has float32\["),
    (lambda: jax.jit(lambda u: check(replace(LINE, u=u)))(U), "check: not inside jit"),
]


@pytest.mark.parametrize(("call", "message"), MISTAKES)
def test_a_mistake_is_one_sentence_that_names_it(call, message):
    with pytest.raises(FFCError, match=f"^{message}") as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_solver_names_its_draft():
    assert repr(GSJacobi(5)) == "GSJacobi(window=5, cached=True)"
    assert repr(GSJacobi(5, draft=Picard())) == "GSJacobi(window=5, cached=True, draft=Picard())"
    assert np.array_equal(solve(LINE, GSJacobi(np.int64(2))).value, jnp.cumsum(U, axis=1))
