"""Configuration and presets: what is refused, and in which words; and that what is written twice agrees."""

import dataclasses
import inspect
import json
import re

import pytest
import tasks
import yaml
from places import ROOT
from presets import (
    NATIVE_ROWS,
    SCHEMAS,
    SOLVERS,
    ConfigError,
    check_config,
    load_preset,
    load_presets,
    reference_of,
)

PRESETS = ROOT / "config" / "presets"
QUICK = yaml.safe_load((PRESETS / "quick.yaml").read_text())
LAPTOP = yaml.safe_load((PRESETS / "laptop.yaml").read_text())
SCHEMA = yaml.safe_load((SCHEMAS / "preset.schema.yaml").read_text())
OWN = {key: value for key, value in QUICK["tasks"]["made_mnist"].items() if key != "paper"}


def changed(path: str, value, preset: dict = QUICK) -> dict:
    """A preset, quick unless given, with one key set, or taken away (`...`)."""
    preset = json.loads(json.dumps(preset))  # no section shared, as by YAML anchors
    *parents, last = path.split(".")
    section = preset
    for key in parents:
        section = section[key]
    if value is ...:
        del section[last]
    else:
        section[last] = value
    return preset


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("sede", 1, "sede: unknown key (did you mean seed?)"),
        ("tasks.my-task", {}, "'my-task' does not match"),
        ("tasks.made_minst", {}, "tasks.made_minst: data is missing"),
        ("tasks.made_mnist.model", ..., "tasks.made_mnist: model is missing"),
        (
            "tasks.made_mnist.paper",
            ...,
            "made_mnist: has the name of one of the paper's tasks; if it stands for that, add",
        ),
        ("tasks.made_mnist.paper", "rnn", "tasks.made_mnist.paper: 'rnn' is unknown; expected made_mnist, made_cifar"),
        ("tasks.made_mnist.paper", "made_cifar", "tasks.made_mnist: has the name of one of the paper's tasks"),
        (
            "tasks.made_mnist.experiment",
            "classification",
            "made_mnist.experiment: 'classification' is unknown; expected s",
        ),
        (
            "tasks.mine",
            QUICK["tasks"]["made_mnist"],
            "tasks.made_mnist.paper: mine stands for made_mnist, too; take the",
        ),
        ("tasks.summary", OWN, "tasks.summary: the workflow's own files have that name; give the task another"),
        ("tasks.made", OWN, "tasks.made: the workflow's own files have that name; give the task another"),
        ("tasks.mine_scaling", OWN, "tasks.mine_scaling: names that end in _scaling are those of times by length"),
        (
            "tasks.made_mnist_time_nolog",
            OWN,
            "made and made_mnist_time_nolog would both draw the figure made_mnist_time",
        ),
        ("tasks.made_mnist.solver", {}, "tasks.made_mnist.solver: unknown key (did you mean solvers?)"),
        ("tasks.made_mnist.model.hiden", 3, "tasks.made_mnist.model.hiden: unknown key (did you mean hidden?)"),
        ("tasks.rnn.train", {"steps": 3}, "tasks.rnn.train: unknown key"),
        ("tasks.densenet.data.name", "digit", "'digit' is unknown (did you mean digits?); expected digits, patches"),
        ("tasks.made_mnist.solvers.jacobbi", {}, "solvers.jacobbi: no solver has that name (did you mean jacobi?)"),
        ("tasks.made_mnist.solvers.jacobi", {"window": 3}, "jacobi.window: unknown key; expected guess"),
        ("tasks.made_mnist.solvers.sequential", ..., "tasks.made_mnist.solvers: sequential is missing"),
        ("tasks.made_mnist.solvers.Fast", {"solver": "jacobi"}, "expected small letters"),
        ("tasks.rnn.solvers.jacobi_9", {"solver": "jacobi"}, "tasks.rnn.solvers.jacobi_9: iterations is missing"),
        ("tasks.made_mnist.train.learning_rate", "1e-3", "'1e-3' is not a number; write 1.0e-03"),
        ("tasks.made_mnist.train.steps", 0, "tasks.made_mnist.train.steps: 0 is out of range; expected at least 1"),
        ("tasks.made_mnist.train.ema", 1.5, "train.ema: 1.5 is out of range; expected at most 1"),
        ("tasks.made_mnist.train", ..., "tasks.made_mnist: train is missing"),
        ("tasks.made_mnist.solvers.sequential", {"guess": "black"}, "sequential.guess: unknown key; it takes no keys"),
        ("tasks.made_mnist.solvers.jacobi.guess", "blank", "'blank' is unknown (did you mean black?)"),
        ("tasks.pixelcnnpp_mnist.solvers.gs_jacobi.window", "wide", "expected a number of rows, or of pixels"),
        ("tasks.pixelcnnpp_mnist.solvers.gs_jacobi.window", 0, "window: 0 is out of range; expected at least 1"),
        ("scaling.sizes", [10], "10 is out of range; expected a multiple of 4"),
        ("scaling.task", "pixelcnnpp_cifar", "did you mean pixelcnnpp_cifar10?"),
        (
            "scaling.task",
            "made_mnist",
            "made_mnist is no task of pixelcnnpp or transformer here; the preset has pixelcnnpp_cifar10, pixel",
        ),
        ("scaling.widths", [32], "scaling.widths: unknown key; of pixelcnnpp it takes sizes, batches, filters"),
        ("scaling", {"task": "pixelcnnpp_mnist"}, "scaling.sizes: missing; give one at least of sizes, batches"),
        ("tasks.made_mnist.solvers.chained", {}, "solvers.chained: chained is for a chain of systems, such as a flow"),
        ("tasks.made_mnist.system", {"quantize": "8bit"}, "tasks.made_mnist.system: unknown key"),
        ("tasks.pixelcnnpp_mnist.system", {"quantize": "8bits"}, "'8bits' is unknown (did you mean 8bit?)"),
        ("tasks.pixelcnnpp_mnist.system", {"couple": "gumbel"}, "system.couple: unknown key (did you mean coupling?)"),
        ("tasks.densenet.train", ..., "tasks.densenet.train: missing; give this, or the name of a released file"),
        ("tasks.densenet.train_data", {"name": "digits"}, "train_data: of weights that are trained where a released"),
        ("tasks.densenet.released", "weights", "expected a file name that ends in .flax or .pth"),
        ("tasks.densenet.model.kind", "densnet", "densenet.model.kind: 'densnet' is unknown (did you mean densenet?)"),
        ("tasks.pixelcnnpp_mnist.model.kind", "pixelcnn", "'pixelcnn' is unknown (did you mean pixelcnnpp?)"),
        ("tasks.pixelcnnpp_mnist.solvers.gs_jacobi.window", 29, "window: 29 rows, but the images have 28; give 1 … 28"),
        ("tasks.pixelcnnpp_mnist.solvers.jacobi_gs.block", 9, "block: 9 does not divide the image's 784 pixels"),
        ("tasks.pixelcnnpp_mnist.solvers.wide", {"solver": "gs_jacobi", "window": 99}, "solvers.wide.window: 99 rows"),
        (
            "tasks.pixelcnnpp_mnist.solvers.real",
            {"solver": "jacobi", "system": {"quantize": "none"}},
            "solvers.real.system: no solver gives this system's",
        ),
        ("tasks.made_mnist.solvers.gs_jacobi.window", 29, "gs_jacobi.window: 29 rows, but the images have 28"),
        ("tasks.rnn.hidden", True, "tasks.rnn.hidden: True is not a whole number"),
        ("tasks.rnn", None, "tasks.rnn: empty; expected a section of keys"),
        ("repeats", 2.5, "repeats: 2.5 is not a whole number"),
        ("title", ..., "title is missing"),
        ("tasks", {}, "tasks: {}"),
    ],
)
def test_a_preset_with_a_mistake_is_refused_by_file_and_key(tmp_path, path, value, message):
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(changed(path, value)))
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        load_preset(file)
    assert str(caught.value).startswith(f"{file}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "the file: empty"), ("- 1", "not a section of keys"), ("a: [", "not YAML"), ("\tseed: 1", "not YAML")],
)
def test_a_file_that_is_no_preset(tmp_path, text, message):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_preset(file)


def test_a_presets_name_must_serve_as_a_target(tmp_path):
    (tmp_path / "my-preset.yaml").write_text(yaml.safe_dump(QUICK))
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(QUICK))
    presets, faults = load_presets(tmp_path)
    assert [*presets] == ["mine"]
    assert "my-preset.yaml: a preset's name" in faults["my-preset"]


def test_a_solver_may_be_named_twice_and_chosen_by_a_race_and_a_model_be_ones_own(tmp_path):
    preset = changed("tasks.pixelcnnpp_mnist.solvers.gs_jacobi_2", {"solver": "gs_jacobi", "window": 2})
    preset["tasks"]["pixelcnnpp_mnist"]["solvers"] |= {"auto": {}, "wide": {"solver": "gs_jacobi", "window": "auto"}}
    preset["tasks"]["pixelcnnpp_mnist"]["solvers"]["gs_jacobi_pixels"] = {"solver": "gs_jacobi", "window": "4 blocks"}
    preset["tasks"]["made_mnist"]["model"] = {"kind": "mine.models:Flow", "depth": 3}
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(preset))
    assert load_preset(file) == preset


def test_a_solver_is_held_against_the_sequential_answer_of_its_own_system():
    task = LAPTOP["tasks"]["pixelcnnpp_mnist"]
    for solver in task["solvers"]:
        expected = "cached_8bit" if solver in ("cached_8bit", "drafted") else "sequential"
        assert reference_of(task, solver) == expected
    # What is a default may be said or left out.
    said = task | {"system": {"coupling": "gumbel"}}
    assert reference_of(said, "jacobi") == "sequential"
    assert reference_of(said, "drafted") == "cached_8bit"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"presset": "quick"}, "presset: unknown key (did you mean preset?)"),
        ({"preset": "qick"}, "preset: there is no 'qick' (did you mean quick?); presets are paper, quick, small"),
        ({"checkpoints": {"mode": "relesed"}}, "checkpoints.mode: 'relesed' is unknown (did you mean released?)"),
        ({"data": {"root": "x"}}, "data.root: unknown key; expected folder"),
        ({"debug": "true"}, "debug: 'true' is not true or false; on the command line write True"),
        ({"debug": "yes"}, "debug: 'yes' is not true or false"),
    ],
)
def test_a_configuration_with_a_mistake_is_refused(config, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        check_config(config, ["paper", "quick", "small"])


def test_the_schemas_defaults_are_those_of_the_file():
    written = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    filled = {}
    check_config(filled, load_presets(PRESETS)[0])
    assert filled == written


def test_every_preset_has_all_tasks_and_the_papers_solvers():
    presets, faults = load_presets(PRESETS)
    assert not faults
    assert set(presets) >= {"quick", "small", "paper"}
    for name in ("quick", "small", "paper"):
        assert [*presets[name]["tasks"]] == [*tasks.stand_ins(presets[name]["tasks"])] == [*tasks.PAPER]
        # Where samples are not rounded, those that are have a sequential answer of their own.
        solvers = {task: {*section["solvers"]} - {"cached_8bit"} for task, section in presets[name]["tasks"].items()}
        assert solvers == {task: set(section["solvers"]) for task, section in QUICK["tasks"].items()}


@pytest.mark.parametrize("name", ["laptop", "small", "paper"])
def test_a_presets_cifar10_becomes_that_of_jpeg_files_by_the_readmes_command(tmp_path, name):
    before, after = re.search(r"sed 's/(.+)/(.+)/' config", (ROOT / "config" / "README.md").read_text()).groups()
    file = tmp_path / "mine.yaml"
    file.write_text((PRESETS / f"{name}.yaml").read_text().replace(before, after))
    sections = [section.get("train_data", section["data"]) for section in load_preset(file)["tasks"].values()]
    cifar = [section for section in sections if section["name"].startswith("cifar10")]
    assert len(cifar) == 3
    assert all(section["name"] == "cifar10-jpeg" and "download" not in section for section in cifar)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("tasks.flow.model.patch", 3, "model.patch: 3 does not divide the 28 rows"),
        ("tasks.flow.solvers.chained.window", [16, 16], "chained.window: 2 windows for 4 blocks of the flow"),
        ("tasks.flow.solvers.chained.window", [16, 16, 16, 197], "chained.window: 197 is more than the 196 patches"),
        ("tasks.flow.solvers.chained.above", [4], "chained.above: 4; the links of this flow are 0 … 3"),
        ("tasks.flow.system", {"temperature": 1}, "tasks.flow.system.temperature: unknown key; expected quantize"),
        ("tasks.text.system", {"quantize": "none"}, "tasks.text.system.quantize: unknown key"),
        ("tasks.text.system", {"top_k": 129}, "tasks.text.system.top_k: 129 of 128 tokens"),
        ("tasks.text.solvers.chained", {}, "solvers.chained: chained is for a chain"),
        ("scaling.lengths", [256], "scaling.lengths: 256; the texts of its task have 128 bytes"),
    ],
)
def test_what_tokens_and_flows_cannot_be_is_found_before_training(tmp_path, path, value, message):
    preset = yaml.safe_load((PRESETS / "beyond.yaml").read_text())
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(changed(path, value, preset)))
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_preset(file)


def test_quick_needs_no_network():
    for section in QUICK["tasks"].values():
        assert section["data"]["name"] in ("digits", "patches")
        assert "released" not in section


def test_the_schema_knows_what_the_library_knows():
    from ffc.core.named import NAMES
    from ffc.data import DATASETS
    from ffc.models import guess, model_class
    from ffc.training import TrainSettings

    kinds = SCHEMA["$defs"]
    assert set(kinds["data"]["properties"]["name"]["enum"]) == set(DATASETS)
    options = {name for source in DATASETS.values() for name in list(inspect.signature(source).parameters)[1:]}
    assert set(kinds["data"]["properties"]) == {"name"} | options
    assert set(NATIVE_ROWS) <= set(DATASETS)
    assert set(kinds["train"]["properties"]) == {field.name for field in dataclasses.fields(TrainSettings)}
    assert set(kinds["sampling_solvers"]["properties"]) == set(NAMES)
    assert set(SOLVERS) == {*NAMES, "feedforward"}
    assert SCHEMA["$defs"]["own"]["properties"]["model"]["else"]["properties"]["kind"]["enum"] == [*tasks.MODELS]
    for kind in tasks.MODELS:
        model = kinds[kind]["properties"]["model"]
        sizes = set(model.get("else", model)["properties"]) - {"kind"}
        assert sizes == {field.name for field in dataclasses.fields(model_class(kind))} - {"shape", "classes"}
    assert tuple(kinds["guess"]["enum"]) == guess.NAMES
    system = kinds["system"]["properties"]
    words = {name: tuple(option["enum"]) for name, option in system.items() if "enum" in option}
    pixels, flow = (model_class(kind).options for kind in ("pixelcnnpp", "flow"))
    assert words == {name: tuple(dict.fromkeys((*pixels[name], *flow.get(name, ())))) for name in pixels}
    assert system.keys() - words.keys() == model_class("transformer").options.keys()


@pytest.mark.parametrize("file", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.stem)
def test_conda_environments_are_pinned_as_the_lock_file_is(file):
    locked = dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "requirements" / "lock.txt").read_text(), re.M))
    *_, packages = yaml.safe_load(file.read_text())["dependencies"]
    wanted = dict(line.split("==") for line in packages["pip"])
    assert wanted == {name: locked.get(name) for name in wanted}
