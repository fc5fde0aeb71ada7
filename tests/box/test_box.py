"""Models in the box: each draws what it drew when it was made, and says truly what it is."""

import json
import shlex

import jax
import numpy as np
import pytest

from ffc import box
from ffc.box import make
from ffc.cli import train
from ffc.cli.main import main, parser
from ffc.core.errors import FFCError
from ffc.models import build
from ffc.models.made import MADE
from ffc.store import checkpoints
from ffc.store.records import Record
from ffc.training import TrainSettings

NAMES = box.names()
#: Pixels' windows take long to compile.
DRAWN = [pytest.param(name, marks=[] if name.startswith("made") else pytest.mark.stress) for name in NAMES]


@pytest.mark.parametrize("name", DRAWN)
def test_a_model_draws_the_kept_sample(name):
    """To a level: last bits differ between processors, and a level is where they round."""
    about = box.about(name)
    drawn, blocks = make.levels(box.load(name), about["sampling"], about["drawn"]["seed"], about["drawn"]["blocks"])
    kept = np.frombuffer(bytes.fromhex(about["drawn"]["levels"]), np.uint8)
    assert blocks >= len(kept) == 64
    assert len(set(kept)) > 4
    assert np.abs(drawn.astype(int) - kept).max() <= 1


def test_a_name_draws_by_the_solver_that_was_measured(tmp_path):
    """With the program of the test before."""
    assert main(["sample", "made-mnist", "--batch", "1", "--no-verify", "--out", str(tmp_path / "digit.npz")]) == 0
    record = Record.load(tmp_path / "digit.npz")
    assert box.about("made-mnist")["sampling"]["solver"] == "gs_jacobi"
    assert record.meta["solver"].startswith("GSJacobi(")
    assert record.meta["checkpoint"]["data"]["title"] == "MNIST 28×28"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_told_of_a_model_is_whole_and_its_command_trains_such_a_model(name):
    about = box.about(name)
    assert sum(box.weights(name).stat().st_size for name in NAMES) <= make.LIMIT, "all that are in the box"
    assert about.keys() >= {"sha256", "seed", "sampling"}
    assert (about["origin"], about["data"].keys()) == ("box", {"name", "title", "licence"})
    assert about["metrics"].keys() == {"unit", "steps", "best_step", "test_loss"}
    assert about["metrics"]["best_step"] in about["curves"]["step"], "the weights that are kept are on the curve"
    *_, last = about["command"].split(" && ")  # after those of the weights that it began with
    program, *words = shlex.split(last)
    arguments = parser().parse_args(words)
    assert (program, arguments.run, str(arguments.out)) == ("ffc", train.train, f"{name}.flax")
    model = build(train.description(arguments), tuple(about["model"]["shape"]))
    assert model == box.load(name).model
    assert TrainSettings.of(train.settings(arguments)) == TrainSettings.of(about["train"])
    assert (arguments.data, arguments.seed) == (about["data"]["name"], about["seed"])


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A box of one model, to be harmed."""
    model = MADE((2, 3, 1), hidden=(8, 8))
    about = {"origin": "trained", "data": {"name": "digits", "title": "Digits"}, "train": {"steps": 3}, "seed": 0}
    checkpoints.save(tmp_path / "tiny.flax", model, model.init(jax.random.key(0)), about, compact=True)
    for module in (box, make):
        monkeypatch.setattr(module, "FOLDER", tmp_path)
    return tmp_path / "tiny.flax"


def test_what_cannot_be_loaded_is_named_with_the_cure(own):
    assert box.load("tiny").model.hidden == (8, 8)
    with pytest.raises(FFCError, match=r"^imagenet: no model of that name is in the box; it has tiny$"):
        box.load("imagenet")
    own.write_bytes(own.read_bytes()[:-1] + b"x")
    with pytest.raises(FFCError, match=r"tiny\.flax: damaged, .*: pip install .*\[checkpoints\]'$"):
        box.load("tiny")
    own.unlink()
    with pytest.raises(FFCError, match=r"^tiny: this installation lacks its weights .*: pip "):
        box.load("tiny")


@pytest.mark.stress
def test_solvers_race_again_for_the_same_weights(own):
    before = box.about("tiny")
    make.again("tiny")
    after = box.about("tiny")
    assert {key: after[key] for key in before} == before
    assert after["sampling"]["guess"] == "zeros"  # MADE's samples are no 8-bit images
    drawn, _ = make.levels(box.load("tiny"), after["sampling"], after["drawn"]["seed"], after["drawn"]["blocks"])
    assert drawn.tobytes().hex() == after["drawn"]["levels"]


def test_what_does_not_say_where_it_came_from_stays_out(own):
    about = box.about("tiny")
    for origin, message in (("trained", "on digits, whose licence is not known"), ("released", "only samplers that")):
        own.with_suffix(".json").write_text(json.dumps(about | {"origin": origin}))
        with pytest.raises(FFCError, match=message):
            make.make("new", own)
    assert box.names() == ["tiny"]
