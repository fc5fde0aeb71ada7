"""Images of 8 bits by PixelCNN++: solvers and drafts agree in every bit, but from a tie on, which sweeps settle."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo
from places import GOLDEN
from samplers import PIXELS, in_order, select, sweep, ties, weights

from ffc import FFCError, GSJacobi, Jacobi, JacobiGS, RowAbove, Sequential, solve
from ffc.core import tune
from ffc.core.drafts import Evaluated
from ffc.core.named import entry_of, solver_by_name
from ffc.core.verify import verified
from ffc.models.pixelcnnpp import draft_kernel, mixture
from ffc.models.pixelcnnpp.coupling import COUPLINGS
from ffc.models.pixelcnnpp.drafts import LinearOutputs
from ffc.store import checkpoints

CACHED = Sequential(cached=True)


def small(coupling="gumbel", quantize="8bit", batch=2):
    return PIXELS.system(weights(PIXELS), PIXELS.noise(jax.random.key(1), batch), quantize, coupling)


def natural(name, coupling, batch, extent, seed=0):
    """A system of golden weights, of images of 8 bits as large or smaller than those that they were trained on."""
    checkpoint = checkpoints.load(GOLDEN / f"pixelcnnpp_{name}.flax", shape=extent)
    noise = checkpoint.model.noise(jax.random.key(seed), batch)
    return checkpoint.model.system(checkpoint.params, noise, "8bit", coupling)


def assert_equal_up_to_a_tie(system, value, answer):
    """Samples are equal bit for bit, or from a tie on they are not."""
    differ = np.any(np.asarray(value) != np.asarray(answer), axis=2)
    for tied, differs in zip(np.asarray(ties(system, answer)), differ, strict=True):
        assert not differs.any() or tied[np.argmax(differs)]


def assert_corrected(system, solution, plain):
    """Plain sweeps prove the plain sequential images, and count the pixels that they had to correct."""
    proven = verified(system, solution)
    assert proven.verification.proven.all()
    np.testing.assert_array_equal(proven.value, plain)
    changed = np.any(np.asarray(solution.value) != np.asarray(plain), axis=2)
    np.testing.assert_array_equal(proven.verification.corrected, changed.sum(axis=1))
    return changed


@pytest.fixture(scope="module")
def draft():
    return small().draft()


def test_drafted_windows_draw_the_plain_images_and_what_a_tie_makes_of_one_is_corrected(draft):
    """A tie that fell otherwise, with all that followed it; and what a window's sums make of one, if any."""
    system = small()
    plain, solution = in_order(system), solve(system, GSJacobi(4, draft=draft), x0=RowAbove())
    np.testing.assert_array_equal(plain, mixture.level(jnp.round((plain + 1) * 127.5), mixture.EIGHT_BIT))
    assert solution.exact
    assert solution.iterations.max() < system.size
    assert_equal_up_to_a_tie(system, solution.value, plain)
    assert_corrected(system, solution, plain)
    levels = np.round((np.asarray(plain[1, 3]) + 1) * 127.5)
    other = plain.at[1, 3].set(mixture.level((levels + 1) % 256, mixture.EIGHT_BIT))
    for _ in range(system.size):  # what follows from there, as a sampler would find it
        other = jnp.where(jnp.arange(system.size)[:, None] > 3, sweep(system, other), other)
    changed = assert_corrected(system, replace(solution, value=other), plain)
    assert changed.any(axis=1).tolist() == [False, True]
    assert changed[1].sum() > 1


@pytest.mark.stress
@pytest.mark.parametrize(
    ("case", "solvers"),
    [
        # Whole sweeps, of which solvers without windows are made, are what each answer is held against.
        (("rgb32", "gumbel", 1000, (4, 8)), (CACHED, GSJacobi(3), JacobiGS(8))),
        (("rgb32", "inverse_cdf", 250, (4, 8)), (GSJacobi(3),)),  # which evaluates the same windows
        (("gray28", "gumbel", 2, (12, 16)), (GSJacobi(48), JacobiGS(16), CACHED)),
        (("rgb32", "inverse_cdf", 4, (32, 32), 5), (CACHED,)),  # it once fell beside an edge here
    ],
)
def test_a_thousand_images_and_large_ones_are_the_plain_sequential_ones_by_every_kind_of_window(case, solvers):
    system = natural(*case)
    plain = in_order(system)
    for solver in solvers:
        solution = solve(system, solver)
        assert solution.exact
        assert_equal_up_to_a_tie(system, solution.value, plain)
        assert_corrected(system, solution, plain)


DRAFTED = [("gumbel", GSJacobi(4)), ("inverse_cdf", GSJacobi(8, together=True)), ("gumbel", Jacobi())]


@pytest.mark.stress
@pytest.mark.parametrize(("coupling", "solver"), DRAFTED)
def test_drafted_windows_draw_the_cached_samplers_samples(draft, coupling, solver):
    system = small(coupling)
    solution = solve(system, replace(solver, draft=draft), x0=RowAbove())
    assert solution.exact
    one_by_one = [solve(select(system, jnp.array([i])), CACHED).value for i in range(2)]
    np.testing.assert_array_equal(solution.value, jnp.concatenate(one_by_one))
    assert solution.iterations.max() < system.size


@pytest.mark.stress
def test_natural_images_take_far_fewer_iterations():
    system = natural("rgb32", "gumbel", 1, (8, 16), seed=3)
    drafted = solve(system, GSJacobi(16, draft=system.draft()), x0=RowAbove())
    plain = solve(system, GSJacobi(16), x0=RowAbove())
    np.testing.assert_array_equal(drafted.value, plain.value)
    assert drafted.exact
    assert drafted.iterations[0] < plain.iterations[0] / 2


def test_the_constants_are_the_mean_changes_by_offset(draft):
    """Each pixel of a row moved by a level, one after the other: here rows are so short that none is felt twice."""
    system = small(batch=1)
    turned = replace(system, coupling=jax.tree.map(lambda noise: jnp.flip(noise, axis=1), system.coupling))
    evaluate, image = jax.jit(lambda system, x: system.sweep_outputs(x)), system.initial()
    for _ in range(system.size):
        image, _ = evaluate(turned, image)

    def outputs(image):
        return np.asarray(evaluate(system, image)[1][0]).reshape(4, 4, -1)

    still, changes = outputs(image), np.zeros((3, 3, 30))
    for k, channel in np.ndindex(3, 3):
        pairs = [(row, t) for row in (1, 2, 3) for t in range(k + 1, 4)]
        for row, t in pairs:
            moved = np.array(image)
            moved[0, 4 * row + t - k - 1, channel] += 1 / 127.5
            changes[k, channel] += 127.5 * (outputs(moved) - still)[row, t] / len(pairs)
    np.testing.assert_allclose(draft.left, changes, atol=0.01 * np.abs(changes).max())


def test_names_and_races_know_drafts(draft, monkeypatch):
    """On a GPU of longer windows, too: it takes about as long for several rows as for one."""
    system, long = small(), zoo.unconnected(size=64, row_length=4)
    for name, options in (
        ("gs_jacobi", {"window": 1, "draft": True}),  # a row
        ("gs_jacobi", {"window": "2 blocks", "draft": True, "together": True}),
        ("jacobi", {"draft": True}),
    ):
        solver = solver_by_name(name, system, **options | {"draft": draft})
        assert entry_of(solver, system) == {"solver": name, **options}
    assert solver_by_name("gs_jacobi", system, draft=True).window == 4
    drafted = [s for s in tune.candidates(system) if getattr(s, "draft", None)]
    assert [(s.window, s.together) for s in drafted] == [(4, False), (4, True), (2, False), (8, False), (8, True)]
    assert not any(s.together for s in tune.drafted(small(batch=1), draft))
    assert tune.drafted_lengths(long) == [4, 2, 8]
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert tune.drafted_lengths(long) == [4, 2, 8, 16, 32]
    *_, last = tune.candidates(system)
    assert last == Jacobi(draft=last.draft) != Jacobi()


def test_what_has_no_draft_or_no_derivative_is_named(draft):
    for coupling in COUPLINGS:
        real = small(coupling, "none", batch=1)
        assert not real.discrete
        assert real.draft() is None
    rounded = small(batch=1)
    with pytest.raises(FFCError, match="the values of PixelSampling are rounded"):
        jax.jvp(lambda system: solve(system, Jacobi()).value, (rounded,), (rounded,))
    for name, place in (("cached", "cached takes none"), ("jacobi", "this system offers")):
        with pytest.raises(FFCError, match=f"draft: {place}"):
            solver_by_name(name, zoo.chain(), draft=True)
    with pytest.raises(FFCError, match=r"draft: LinearOutputs is one for PixelCNN\+\+, not for Weighted"):
        solve(zoo.chain(), GSJacobi(4, draft=draft))


ROW = 8


@pytest.mark.parametrize(("channels", "count"), [(1, ROW // 2), (3, 2 * ROW)], ids=["half a row", "two rows"])
def test_the_kernel_of_a_gpu_drafts_the_bits_of_the_loop(channels, count, monkeypatch):
    """Interpreted on a CPU."""
    model = replace(PIXELS, shape=(4, ROW, channels))
    system = model.system(weights(model), model.noise(jax.random.key(1), 2), "8bit")
    x = system.example(jax.random.key(2))
    y, outputs = system.sweep_outputs(x)
    before, after, outputs = jax.tree.map(lambda leaf: leaf[:, ROW : ROW + count], (x, y, outputs))
    evaluated = Evaluated(x, jnp.full(2, ROW), before, after, outputs, first=jnp.array([count // 3 - 1, count // 2]))
    changes = 0.2 * jax.random.normal(jax.random.key(3), (2, channels, outputs[0].shape[-1]))
    monkeypatch.setattr(draft_kernel, "drafted_rows", partial(draft_kernel.drafted_rows, interpret=True))
    loop, kernel = (
        jax.jit(replace(LinearOutputs(changes), kernel=kernel).redraft)(system, evaluated) for kernel in (False, True)
    )
    np.testing.assert_array_equal(loop, kernel)
    assert (loop != after).any(), "the changes are felt"
