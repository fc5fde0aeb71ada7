"""A model of somebody's own: slips in it are found before a certificate says what is not so."""

import re
import sys
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo

from ffc import FFCError, Jacobi, Sequential, solve
from ffc.core.errors import place_of
from ffc.core.verify import contradictions, facts
from ffc.data import Dataset
from ffc.models import Sampler, model_class
from ffc.models.own import check_own
from ffc.training import train_checkpoint


@dataclass(frozen=True)
class Belief(Sampler):
    """Pixels that are black or white: thresholds of what a pixel sees."""

    shape: tuple[int, int, int] = (4, 5, 1)
    diagonal: int = -1
    kind, unit = "test_own:Belief", "nats"

    def init(self, key):
        return {"weights": 3 * jax.random.normal(key, (20, 20))}

    def noise(self, key, batch):
        return -jax.random.logistic(key, (batch, 20))

    def system(self, params, u):
        return Pixels(jnp.tril(params["weights"], self.diagonal), u, False, function=positive)

    def samples(self, x):
        return x


Pixels = zoo.variant(zoo.Weighted, discrete=False)  # of which plain sweeps do not refute an answer


def positive(total):
    return jnp.float32(total > 0)


class Silent(Belief):
    noise = Sampler.noise


def test_a_block_that_sees_itself_is_found_and_a_method_that_lacks_named_before_the_training(tmp_path):
    params = Belief().init(jax.random.key(0))
    check_own(Belief(), params)
    with pytest.raises(FFCError, match=r"^Belief: block \d+ of sample \d: it changes .* no certificate would hold$"):
        check_own(Belief(diagonal=0), params)
    images = np.zeros((2, 4, 5, 1), np.uint8)
    settings = {"kind": f"{__name__}:Silent"}, Dataset("toy", "Toy", images, images), {"steps": 1, "batch": 2}
    with pytest.raises(FFCError, match=r"^Silent has no noise\(\); a sampler needs noise, system, samples"):
        train_checkpoint(tmp_path / "a.flax", *settings, 0, tmp_path / "state")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("diagonal", [-1, 0])
def test_two_certified_answers_of_which_one_is_proven_contradict_each_other(diagonal):
    """Unless one has a tie, which may be decided either way."""
    model, answers = Belief(diagonal=diagonal), []
    system = model.system(model.init(jax.random.key(0)), model.noise(jax.random.key(1), 16))
    for solver in (Sequential(), Jacobi()):
        solution = solve(system, solver, verify=True)
        assert solution.exact  # as far as the loop can tell
        about = {"status": np.full(16, "certified"), "samples": np.asarray(solution.value)}
        answers.append({name: np.asarray(array) for name, array in facts(system, solution).items()} | about)
    one, other = answers
    assert bool(contradictions(one, other)) == (diagonal == 0)
    tied = {"ties": np.ones(16, int)}
    assert not contradictions(one | tied, other) + contradictions(one, other | tied)


#: What a module holds, a kind that names it, and what the error says.
NOWHERE = [
    ("class Flow:\n    pass\n", "mine_a:Flaw", "mine_a has no class Flaw (did you mean Flow?)"),
    ("import jaxx\n", "mine_b:Flow", "mine_b cannot be imported: ModuleNotFoundError: No module named 'jaxx'"),
    ("\n\n1 / 0\n", "mine_c:Flow", "cannot be imported: ZeroDivisionError: division by zero (mine_c.py, line 3)"),
    (None, "mine_no:Flow", "there is no module mine_no; it must lie where the command runs, or be installed"),
    (None, "pixelcnn", "expected one of densenet, flow, made, pixelcnnpp, transformer, or package.module:Class (did"),
]


def test_a_kind_that_leads_nowhere_says_why(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])  # as a command that is installed has it
    for text, kind, message in NOWHERE:
        if text:
            (tmp_path / f"{kind.partition(':')[0]}.py").write_text(text)
        with pytest.raises(FFCError, match=re.escape(message)):
            model_class(kind)


def test_the_place_of_an_error_is_the_users_line_and_no_library_s():
    with pytest.raises(TypeError) as caught:
        jnp.zeros(3) @ jnp.zeros(4)
    assert place_of(caught.value).startswith(" (test_own.py, line ")
