"""Presets and the configuration: a mistake is refused by file and key before anything runs; harm does not unfold."""

import functools
import json
import re

import pytest
import yaml
from checks import reference_of
from hostile import refused
from places import ROOT
from presets import check_config, load_preset, load_presets

from ffc.core.errors import FFCError

PRESETS = ROOT / "config" / "presets"
FILES = [PRESETS / f"{name}.yaml" for name in ("quick", "laptop", "beyond")]
QUICK, LAPTOP, BEYOND = (yaml.safe_load(file.read_text()) for file in FILES)
MADE, PIXELS, NET = "tasks.made_mnist", "tasks.pixelcnnpp_mnist", "tasks.densenet"
OWN = {key: value for key, value in QUICK["tasks"]["made_mnist"].items() if key != "paper"}
REAL = {"solver": "jacobi", "system": {"quantize": "none"}}
BOXED = QUICK["tasks"]["made_mnist"] | {"released": "mnist_made.pth"}

#: A mistake of each kind: the key that is set, or taken away (`...`), and the sentence, which begins with its place.
SENTENCES = [
    ("sede", 1, "sede: unknown key (did you mean seed?); expected title, seed, repeats"),
    ("title", ..., "the file: 'title' is a required property"),
    ("tasks.rnn.scale", "small", "tasks.rnn.scale: 'small' is not of type 'number'"),
    ("tasks.rnn.steps", 0, "tasks.rnn.steps: 0 is less than the minimum of 1"),
    (f"{MADE}.train.step", 9, f"{MADE}.train: unknown key step; expected steps, batch, learning_rate, decay, ema, "),
    (f"{NET}.data.name", "digit", f"{NET}.data.name: 'digit' is unknown (did you mean digits?); expected digits, pat"),
    (f"{NET}.released", "weights", "tasks.densenet.released: 'weights' does not match "),
    (f"{MADE}.solvers.Fast", {"solver": "jacobi"}, f"{MADE}.solvers: 'Fast' does not match '^[a-z][a-z0-9_]*$' (small"),
    ("tasks.rnn", None, "tasks.rnn: empty"),
    (f"{MADE}.paper", ..., f"{MADE}: has the name of one of the paper's tasks; if it stands for that, add `paper: m"),
    ("tasks.mine", QUICK["tasks"]["made_mnist"], f"{MADE}.paper: mine stands for made_mnist, too; take the key away"),
    ("tasks.summary", OWN, "tasks.summary: the workflow's own files have that name; give the task another"),
    ("tasks.made_mnist_time_nolog", OWN, "tasks: made and made_mnist_time_nolog would both draw the figure made_mni"),
    (f"{PIXELS}.solvers.gs_jacobi.window", 29, f"{PIXELS}.solvers.gs_jacobi.window: 29 rows, but the images have 28; "),
    (f"{PIXELS}.solvers.jacobi_gs.block", 9, f"{PIXELS}.solvers.jacobi_gs.block: 9 does not divide the image's 784 pi"),
    (f"{PIXELS}.solvers.real", REAL, f"{PIXELS}.solvers.real.system: no solver gives this system's sequential answer"),
    (f"{NET}.train", ..., f"{NET}.train: missing; give this, or the name of a released file (released:)"),
    (MADE, BOXED, f"{MADE}.weights: of the box, and released: a file of the authors'; give one of them"),
    ("scaling.task", "rnn", "scaling.task: 'rnn' is unknown; expected pixelcnnpp_mnist, pixelcnnpp_cifar10 (a task o"),
]
#: Further mistakes of these kinds, and the place that is named.
PLACES = [
    ("tasks", {}, "tasks: "),
    ("tasks.mine_scaling", OWN, "tasks.mine_scaling: names that end in _scaling"),
    (f"{PIXELS}.solvers.jacobi_gs.window", 3, f"{PIXELS}.solvers.jacobi_gs.window: unknown key; expected block, guess"),
    (f"{MADE}.model", ..., f"{MADE}: 'model' is a required property"),
    (f"{MADE}.model", {"kind": "ffc.mine:Flow"}, f"{MADE}.model.kind: 'ffc.mine:Flow': there is no module ffc.mine; "),
    (f"{MADE}.model", {"kind": "ffc.models.flow:Flaw"}, f"{MADE}.model.kind: 'ffc.models.flow:Flaw': __init__.py has"),
    (f"{PIXELS}.model.kind", ..., f"{PIXELS}.model: 'kind' is a required property"),  # of which `scaling` has a task
    (f"{NET}.model.kind", "densnet", f"{NET}.model.kind: 'densnet' is unknown (did you mean densenet?)"),
    (f"{MADE}.paper", "rnn", f"{MADE}.paper: "),
    (f"{MADE}.paper", "made_cifar", f"{MADE}: "),
    (f"{MADE}.experiment", "classification", f"{MADE}.experiment: "),
    (f"{MADE}.system", {"quantize": "8bit"}, f"{MADE}.system: "),
    (
        f"{MADE}.solvers.jacobbi",
        {},
        f"{MADE}.solvers.jacobbi: unknown key (did you mean jacobi?); expected sequential, ",
    ),
    (f"{MADE}.solvers.sequential", ..., f"{MADE}.solvers: 'sequential' is a required property"),
    (f"{NET}.train_data", {"name": "digits"}, f"{NET}.train_data: of weights that are trained"),
    (
        "tasks.rnn.solvers.jacobi_9",
        {"solver": "jacobi"},
        "tasks.rnn.solvers.jacobi_9: 'iterations' is a required property",
    ),
    ("scaling", {"task": "pixelcnnpp_mnist"}, "scaling.sizes: missing; give one at least of"),
    ("scaling.sizes", [10], "scaling.sizes.0: 10 is not a multiple of 4"),
]
#: What tokens and flows cannot be (the preset `beyond`).
CHAINS = [
    ("tasks.flow.model.patch", 3, "tasks.flow.model.patch: 3 does not divide the 28 rows"),
    ("tasks.flow.system", {"temperature": 1}, "tasks.flow.system.temperature: "),
    ("tasks.text.system", {"top_k": 129}, "tasks.text.system.top_k: 129 of 128 tokens"),
    ("scaling.lengths", [256], "scaling.lengths: 256; the texts of its task have 128 bytes"),
]


def changed(preset: dict, path: str, value) -> dict:
    """Return a copy of `preset` with one key set, or taken away."""
    preset = json.loads(json.dumps(preset))  # no section shared, as by YAML anchors
    *parents, last = path.split(".")
    section = functools.reduce(dict.get, parents, preset)
    section[last] = value
    if value is ...:
        del section[last]
    return preset


@pytest.mark.parametrize(
    ("preset", "path", "value", "sentence"),
    [(QUICK, *row) for row in SENTENCES + PLACES] + [(BEYOND, *row) for row in CHAINS],
    ids=[sentence for *_, sentence in SENTENCES + PLACES + CHAINS],
)
def test_a_mistake_is_refused_by_file_and_key(tmp_path, preset, path, value, sentence):
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(changed(preset, path, value), sort_keys=False))
    with pytest.raises(FFCError, match=f"^{re.escape(f'{file}: {sentence}')}"):
        load_preset(file)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the file: empty"),
        ("a: [", "not YAML"),
        ("x: &x {y: *x}", "x: unknown key"),
        ("x: !!python/object/apply:os.mkdir [was-run]", "could not determine a constructor"),
        ("[" * 1_000, "not YAML"),
        ("seed: 1\nseed: 2", "seed appears twice"),
        ("title: a\nrepeats: 1\ntasks: {rnn: {}}\nseed: .nan", "seed: nan is not of type 'integer'"),
        ("seed: 2001-99-99", "not YAML"),
    ],
)
def test_a_file_that_is_no_preset_costs_little_and_makes_nothing(tmp_path, monkeypatch, text, expected):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    refused(path, lambda: load_preset(path), re.escape(expected))
    assert not (tmp_path / "was-run").exists()


def test_numbers_are_those_of_python(tmp_path):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(QUICK).replace("scale: 0.1", "scale: 1e-1"))
    assert load_preset(tmp_path / "mine.yaml") == QUICK


def test_a_faulty_preset_does_not_hide_the_others_and_the_users_own_counts(tmp_path):
    """A preset's name must serve as a target, beside those of the rules."""
    for name in ("my-preset", "quick", "bad", "train"):
        (tmp_path / f"{name}.yaml").write_text("a: [" if name == "bad" else yaml.safe_dump(LAPTOP))
    presets, faults = load_presets(PRESETS, tmp_path, taken={"all", "train"})
    assert (presets["quick"], presets["beyond"]) == (LAPTOP, BEYOND)
    assert faults.keys() == {"my-preset", "bad", "train"}
    assert "my-preset.yaml: a preset's name" in faults["my-preset"]
    assert "train.yaml: train is the name of a rule" in faults["train"]


@pytest.mark.parametrize(
    ("preset", "path", "value"),
    [
        (QUICK, f"{MADE}.model", {"kind": "ffc.models.flow:Flow", "depth": 3}),  # somebody's own has keys of its own
        (QUICK, f"{PIXELS}.solvers.wide", {"solver": "gs_jacobi", "window": "auto"}),
        (QUICK, f"{PIXELS}.solvers.gs_jacobi.window", 28),
        (BEYOND, "tasks.text.system", {"top_k": 128}),
    ],
)
def test_sizes_may_be_the_whole_or_the_choice_of_a_race(tmp_path, preset, path, value):
    preset = changed(preset, path, value)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(preset))
    assert load_preset(tmp_path / "mine.yaml") == preset


def test_a_solver_is_held_against_the_sequential_answer_of_its_own_system():
    task = LAPTOP["tasks"]["pixelcnnpp_mnist"]
    spelled = task | {"system": {"coupling": "gumbel"}}  # a default may be written or left out
    for solver in task["solvers"]:
        answer = "cached_8bit" if solver in ("cached_8bit", "drafted") else "sequential"
        assert reference_of(task, solver) == reference_of(spelled, solver) == answer


def test_what_a_configuration_leaves_out_is_that_of_the_projects_file():
    config = {"checkpoints": {"mode": "trained"}}
    check_config(config, ["paper"])
    whole = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    assert config == whole | {"checkpoints": whole["checkpoints"] | {"mode": "trained"}}


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"preset": "qick"}, "preset: there is no 'qick' (did you mean quick?); presets are paper, quick, small"),
        ({"data": {"root": "x"}}, "data.root: unknown key; expected folder"),
        ({"debug": "true"}, "debug: 'true' is not of type 'boolean' (on the command line, True or False)"),
    ],
)
def test_a_configuration_with_a_mistake_is_refused(config, sentence):
    with pytest.raises(FFCError, match=re.escape(sentence)):
        check_config(config, ["paper", "quick", "small"])
