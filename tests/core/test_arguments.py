"""Each mistake in what `solve` is given is one sentence that names it."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import pytest
import zoo

from ffc import Exact, FFCError, GSJacobi, Jacobi, JacobiGS, System, Tolerance, Trace, solve


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Any(System):
    """`x_i = f(u_i, x_{i−1})` in the dtype of `u`."""

    u: jax.Array  # [batch, N]
    f: object = field(metadata={"static": True})

    @property
    def size(self):
        return self.u.shape[1]

    def initial(self):
        return jnp.zeros_like(self.u)

    def sweep(self, x):
        return self.f(self.u, jnp.pad(x, ((0, 0), (1, 0)))[:, :-1])


def add(u, before):
    return u + before


def differ(u, before):
    return u ^ before


@dataclass(frozen=True)
class Unknown(Any):
    pass


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Wrong(Any):
    size = 60


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Flat(Any):
    def initial(self):
        return jnp.zeros(self.u.shape[1])


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Other(Any):
    def sweep(self, x):
        return jnp.float16(x)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Failing(Any):
    def sweep(self, x):
        return x if x.sum() > 0 else x + 1


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Sized(Any):
    size = 4.0


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Windowed(Any):
    mistake: str = field(metadata={"static": True})

    def supports_window(self, count, stride):
        return True

    def window(self, cache, x, start, count, stride):
        values = x[:, :count]
        returned = {"wide": (x, cache), "bare": values, "cache": (values, jnp.int32(0))}
        return returned[self.mistake]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Several(zoo.TwoLeaves):
    def supports_window(self, count, stride):
        return True


U = jnp.ones((2, 4))
SOUND = Any(U, add)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((U, Jacobi()), "system: .* is no System"),
        ((Any, Jacobi()), "system: .* is no System"),
        ((Unknown(U, add), Jacobi()), "JAX does not know the class Unknown; write @jax.tree_util.register_dataclass"),
        ((Wrong(U, add), Jacobi()), "the size of Wrong is 60, but initial returns 4 blocks"),
        ((Flat(U, add), Jacobi()), r"initial of Flat has the shape \(4,\)"),
        ((Other(U, add), Jacobi()), r"sweep of Other returns float16\[2, 4\]; initial returns float32"),
        ((SOUND, Jacobi), r"solver: .* is no solver; give Jacobi\(\)"),
        ((SOUND, "jacobi"), "solver: 'jacobi' is no solver"),
        ((SOUND, Jacobi(), 0.1), "stop: 0.1 is no stopping rule"),
        ((SOUND, Jacobi(), Exact), "stop: .* is no stopping rule"),
        ((SOUND, Jacobi(), Exact(), "all"), "trace: 'all' is no Trace"),
        ((SOUND, Jacobi(), Exact(), Trace(U[:1], 3)), r"its reference has the shape \(1, 4\)"),
        ((SOUND, Jacobi(), Exact(), None, [1.0, 2.0]), "guess: it is a list"),
        ((SOUND, Jacobi(), Exact(), None, U[:, :3]), r"guess: it has the shape \(2, 3\)"),
        ((Any(U > 0, differ), Jacobi(), Tolerance(1.0)), "means nothing for truth values"),
        ((Failing(U, add), Jacobi()), r"sweep of Failing fails \(Attempted boolean conversion"),
        ((Sized(U, add), Jacobi()), "the size of Sized is 4.0, but initial returns 4 blocks"),
        ((SOUND, GSJacobi(2.5)), "GSJacobi: window is 2.5 blocks; it must be a whole number in 1 … 4"),
        ((SOUND, JacobiGS(2.0)), "JacobiGS: block is 2.0; it must be a divisor of 4"),
        ((SOUND, Jacobi(), Exact("all")), "stop: max_iterations is 'all'; give a whole number from 0 on"),
        ((SOUND, Jacobi(), Exact(2.5)), "stop: max_iterations is 2.5; give a whole number"),
        ((SOUND, Jacobi(), Exact(-1)), "stop: max_iterations is -1; give a whole number"),
        ((SOUND, Jacobi(), Tolerance(None)), "stop: tolerance is None; give a number from 0 on"),
        ((SOUND, Jacobi(), Tolerance(float("nan"))), "stop: tolerance is nan; give a number"),
        ((SOUND, Jacobi(), Tolerance(U[0])), "stop: tolerance is Array"),
        ((SOUND, Jacobi(), Tolerance(0.0, relative=-1)), "stop: relative is -1; give a number"),
        ((SOUND, Jacobi(), Exact(), Trace(U, 2.5)), "trace: its length is 2.5; give the number of iterations"),
        ((SOUND, Jacobi(), Exact(), None, None, True), r"retire: Any has no select_samples\(index\)"),
        (
            (Windowed(U, add, "wide"), GSJacobi(2)),
            r"window of Windowed returns float32\[2, 4\] for 2 blocks",
        ),
        ((Windowed(U, add, "bare"), GSJacobi(2)), r"window of Windowed returns \w+; let it return \(values, cache\)"),
        (
            (Windowed(U, add, "cache"), GSJacobi(2)),
            r"window of Windowed makes int32\[\] of the cache \(\)",
        ),
        ((Windowed(U, add, "fails"), GSJacobi(2)), "window of Windowed fails"),
        ((Several(U[:, 0]), GSJacobi(2)), "Several supports windows, and its state is {'a': .*; let it be one array"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_it(arguments, message):
    with pytest.raises(FFCError, match=message) as caught:
        solve(*arguments)
    assert "\n" not in str(caught.value)


def test_samples_cannot_leave_the_batch_inside_jit():
    with pytest.raises(FFCError, match="retire: not inside jit"):
        jax.jit(lambda u: solve(zoo.Tanh(zoo.tanh(0).weights, u), Jacobi(), retire=True).value)(zoo.tanh(0).u)


def test_samples_cannot_leave_the_batch_where_the_guess_is_traced():
    system = zoo.whole_numbers(0)
    with pytest.raises(FFCError, match="retire: not inside jit"):
        jax.jit(lambda guess: solve(system, Jacobi(), guess=guess, retire=True).value)(system.u)
