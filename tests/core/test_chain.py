"""A chain of solves: each link by its own solver, and together the answer, the certificate and the curves of one."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo

from ffc import Chained, Exact, FFCError, GSJacobi, Jacobi, JacobiGS, RowAbove, Sequential, System, Tolerance, Trace
from ffc import solve as solve_one
from ffc.core import tune
from ffc.core.named import entry_of, fitting, solver_by_name
from ffc.core.solution import Status

LINKS, LENGTH, BATCH = 3, 6, 4


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Link(System):
    """x_i = z_i + W x_<i, modulo 5 where `whole` holds, else its tangent hyperbolic."""

    weights: jax.Array  # [N, N], strictly lower triangular
    z: jax.Array  # [batch, N]
    whole: jax.Array  # scalar bool

    @property
    def size(self):
        return self.z.shape[1]

    def initial(self):
        return jnp.zeros_like(self.z)

    def sweep(self, x):
        total = self.z + jnp.sum(self.weights * x[:, None, :], axis=2)
        return jnp.where(self.whole, jnp.mod(total, 5), jnp.tanh(total))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Chain(System):
    """Links of `Link`: the first from noise, each other from the one before, in reversed order."""

    weights: jax.Array  # [links, N, N]
    u: jax.Array  # [batch, N]
    whole: jax.Array

    links = LINKS

    @property
    def size(self):
        return LINKS * self.u.shape[1]

    @property
    def row_length(self):
        return self.u.shape[1]

    def initial(self):
        return jnp.zeros((len(self.u), self.size))

    def link(self, number, before):
        return Link(self.weights[number], self.u if before is None else before[:, ::-1], self.whole)

    def link_above(self, number, before):
        return self.link(number, before).z

    def sweep(self, x):
        rows = jnp.split(x, LINKS, axis=1)
        before = (None, *rows[:-1])
        return jnp.concatenate([self.link(i, before[i]).sweep(rows[i]) for i in range(LINKS)], axis=1)


def chain(whole: bool = True, seed: int = 0) -> Chain:
    draw = np.random.default_rng(seed)
    shape = (LINKS, LENGTH, LENGTH)
    weights = np.tril(draw.integers(0, 2, shape) if whole else draw.normal(0, 0.3, shape), -1)
    u = draw.integers(0, 5, (BATCH, LENGTH)) if whole else draw.normal(size=(BATCH, LENGTH))
    return Chain(jnp.float32(weights), jnp.float32(u), jnp.bool_(whole))


SOLVERS = [
    Chained((Jacobi(), Jacobi(), Jacobi())),
    Chained((GSJacobi(2), Jacobi(), Sequential())),
    Chained((Sequential(cached=True), GSJacobi(4), GSJacobi(3)), above=(True, False, True)),
]


@pytest.mark.parametrize("guess", [None, RowAbove(), "answer"], ids=["zeros", "row above", "answer"])
@pytest.mark.parametrize("solver", SOLVERS, ids=range(len(SOLVERS)))
@pytest.mark.parametrize("whole", [True, False], ids=["whole numbers", "real numbers"])
def test_the_answer_is_the_sequential_one_bit_for_bit(whole, solver, guess):
    system = chain(whole)
    answer = solve_one(system, Sequential())
    solution = solve_one(system, solver, guess=answer.value if guess == "answer" else guess)
    assert solution.exact
    assert solution.size == LINKS * LENGTH
    np.testing.assert_array_equal(solution.value, answer.value)
    np.testing.assert_array_equal(solution.certified, LINKS * LENGTH)


def test_iterations_are_those_of_all_links():
    system = chain()
    solution = solve_one(system, SOLVERS[0])
    before, total = None, 0
    for number in range(LINKS):
        link = solve_one(system.link(number, before), Jacobi())
        before, total = link.value, total + link.iterations
    np.testing.assert_array_equal(solution.iterations, total)
    assert len(set(np.asarray(total).tolist())) > 1, "samples that need as many iterations show nothing"


def test_a_guess_that_is_the_answer_takes_one_iteration_a_link():
    system = chain()
    answer = solve_one(system, Sequential()).value
    np.testing.assert_array_equal(solve_one(system, SOLVERS[0], guess=answer).iterations, LINKS)


def test_one_block_after_the_other_is_a_chain_by_itself():
    system = chain()
    cached, plain = (solve_one(system, Sequential(cached=cached)) for cached in (True, False))
    np.testing.assert_array_equal(cached.value, plain.value)
    np.testing.assert_array_equal(cached.iterations, plain.iterations)


# What ends before its time


@pytest.mark.parametrize("most", range(0, LINKS * LENGTH, 3))
def test_a_limit_counts_the_iterations_of_all_links(most):
    system = chain()
    answer = solve_one(system, Sequential()).value
    solution = solve_one(system, SOLVERS[1], Exact(max_iterations=most))
    assert int(solution.iterations.max()) <= most
    assert (solution.certified >= np.minimum(solution.iterations, system.size)).all()
    certain = np.arange(system.size) < np.asarray(solution.certified)[:, None]
    np.testing.assert_array_equal(np.where(certain, solution.value, 0), np.where(certain, answer, 0))


def test_what_follows_an_uncertain_link_is_not_certified():
    """Link 0 stops within a tolerance: the others are exact for what it gave, and that proves nothing."""
    system = chain(whole=False)
    loose = solve_one(system, SOLVERS[0], Tolerance(1e-2))
    assert Status.WITHIN_TOLERANCE in loose.status
    answer = solve_one(system, Sequential()).value
    np.testing.assert_allclose(loose.value, answer, atol=0.1)
    for sample, status in enumerate(loose.status):
        certified = int(loose.certified[sample])
        assert status is Status.CERTIFIED or certified < system.size
        np.testing.assert_array_equal(loose.value[sample, :certified], answer[sample, :certified])


def test_a_link_that_breaks_breaks_its_sample_alone():
    system = chain()
    answer = solve_one(system, Sequential()).value
    broken = replace(system, u=system.u.at[1, 3].set(jnp.inf))
    solution = solve_one(broken, SOLVERS[0])
    assert [status is Status.NOT_FINITE for status in solution.status] == [False, True, False, False]
    certified = int(solution.certified[1])
    assert 1 <= certified <= 3
    np.testing.assert_array_equal(solution.value[1, :certified], answer[1, :certified])
    np.testing.assert_array_equal(solution.value[0], answer[0])


# Curves


def test_curves_lead_from_the_guess_to_the_answer_link_after_link():
    system = chain(whole=False)
    answer = solve_one(system, Sequential()).value
    plain = solve_one(system, SOLVERS[1])
    length = int(plain.iterations.max())
    named = (0, 2, 5, 9, length)
    history = solve_one(system, SOLVERS[1], trace=Trace(answer, length, named)).history
    certified = np.asarray(history.certified)
    assert (np.diff(certified, axis=0) >= 0).all()
    np.testing.assert_array_equal(certified[0], 0)
    np.testing.assert_array_equal(certified[-1], system.size)
    np.testing.assert_array_equal(history.l2[-1], 0)
    np.testing.assert_array_equal(history.snapshots[0], system.initial())
    np.testing.assert_array_equal(history.snapshots[-1], answer)
    for state, k in zip(history.snapshots, named, strict=True):  # each curve is of the states that it goes through
        apart = np.asarray(state) - np.asarray(answer)
        np.testing.assert_allclose(history.l2[k], np.linalg.norm(apart, axis=1), rtol=1e-5)
        np.testing.assert_allclose(history.largest[k], np.abs(apart).max(axis=1), rtol=1e-6)
        reached = np.arange(system.size) < certified[k][:, None]
        np.testing.assert_array_equal(np.where(reached, apart, 0), 0)
    moved = np.asarray(history.change)
    assert (moved[0] == 0).all()
    assert all(moved[1 : count + 1, b].sum() > 0 for b, count in enumerate(plain.iterations.tolist()))
    assert all((moved[count + 1 :, b] == 0).all() for b, count in enumerate(plain.iterations.tolist()))


# Beside the solve


@pytest.mark.parametrize("of", ["u", "weights"])
def test_gradients_pass_through_all_links(of):
    system = chain(whole=False)

    def loss(leaf, solver):
        return jnp.sum(solve_one(replace(system, **{of: leaf}), solver).value ** 2)

    found, wanted = (jax.grad(loss)(getattr(system, of), solver) for solver in (SOLVERS[1], Jacobi()))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_a_chain_can_be_solved_inside_jit():
    system = chain()
    inside = jax.jit(lambda system: solve_one(system, SOLVERS[2]))(system)
    np.testing.assert_array_equal(inside.value, solve_one(system, Sequential()).value)


def test_verification_looks_at_the_whole_chain():
    solution = solve_one(chain(whole=False), SOLVERS[1], verify=True)
    np.testing.assert_allclose(solution.residual, 0, atol=1e-6)


@pytest.mark.parametrize("guess", [None, RowAbove(), "answer"], ids=["zeros", "row above", "answer"])
def test_a_race_finds_a_solver_for_each_link_and_names_it(guess):
    system = chain()
    answer = solve_one(system, Sequential()).value
    solver = tune.chained(system, answer if guess == "answer" else guess)
    assert solve_one(system, solver).exact
    if guess is not None:
        assert set(solver.above) == {guess != "answer"}
    entry = entry_of(solver, system)
    again = solver_by_name(entry.pop("solver"), system, **entry)
    assert again == solver


@pytest.mark.parametrize("name", ["chained", "auto"])
@pytest.mark.parametrize("samples", [0, 2])
def test_a_race_of_all_links(name, samples):
    system = replace(chain(), u=chain().u[:samples])
    solution = solve_one(system, solver_by_name(name, system))
    assert solution.exact
    np.testing.assert_array_equal(solution.value, solve_one(system, Sequential()).value)


def test_names_of_a_chain():
    system = chain()
    assert fitting(system)[-1] == "chained"
    assert "chained" not in fitting(zoo.tanh(0))
    named = solver_by_name("chained", system, [1, 2, LENGTH], above=[1])
    assert named == Chained((Sequential(cached=True), GSJacobi(2), Jacobi()), (False, True, False))


MISTAKES = {
    "no tuple": (lambda: Chained([Jacobi()]), "give a tuple"),
    "no link's solver": (lambda: Chained((JacobiGS(2),)), r"JacobiGS\(block=2.* solves no link"),
    "above": (lambda: Chained((Jacobi(), Jacobi()), (True,)), "1 entries for 2 solvers"),
    "no chain": (lambda: solve_one(zoo.tanh(0), SOLVERS[0]), "Tanh is no chain"),
    "other length": (lambda: solve_one(chain(), Chained((Jacobi(),) * 2)), "chain of 3 links"),
    "wide": (lambda: solve_one(chain(), Chained((GSJacobi(7),) * 3)), "1 … 6"),
    "retire": (lambda: solve_one(chain(), SOLVERS[0], retire=True), "keeps its samples"),
    "name": (lambda: solver_by_name("chained", zoo.tanh(0)), "Tanh is no chain"),
    "windows": (lambda: solver_by_name("chained", chain(), [1, 7, 2]), "chain of 3 links"),
    "one window": (lambda: solver_by_name("chained", chain(), 2), "for each of them"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence(mistake):
    call, message = MISTAKES[mistake]
    with pytest.raises(FFCError, match=message):
        call()
