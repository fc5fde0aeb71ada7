"""What is written in two places agrees: schemas, presets, environments, and the library's own names."""

import dataclasses
import inspect
import re

import pytest
import tasks
import yaml
from places import ROOT
from presets import NATIVE_ROWS, SCHEMAS, SOLVERS, check_config, load_preset, load_presets

from ffc.core.names import NAMES
from ffc.data import DATASETS
from ffc.models import guess, model_class
from ffc.training import TrainSettings

PRESETS, FAULTS = load_presets(ROOT / "config" / "presets")
KINDS = yaml.safe_load((SCHEMAS / "preset.schema.yaml").read_text())["$defs"]


def test_every_preset_is_sound_and_those_of_the_paper_have_all_its_tasks_and_solvers():
    assert not FAULTS
    solvers = {task: set(section["solvers"]) for task, section in PRESETS["quick"]["tasks"].items()}
    for name in ("quick", "small", "paper"):
        sections = PRESETS[name]["tasks"]
        assert [*sections] == [*tasks.stand_ins(sections)] == [*tasks.PAPER]
        # Where samples are not rounded, those that are have a sequential answer of their own.
        assert {task: {*section["solvers"]} - {"cached_8bit"} for task, section in sections.items()} == solvers


def test_the_schemas_defaults_are_those_of_the_configuration_file():
    filled = {}
    check_config(filled, PRESETS)
    assert filled == yaml.safe_load((ROOT / "config" / "config.yaml").read_text())


def test_a_presets_cifar10_becomes_that_of_jpeg_files_by_the_readmes_command(tmp_path):
    before, after = re.search(r"sed 's/(.+)/(.+)/' config", (ROOT / "config" / "README.md").read_text()).groups()
    file = tmp_path / "mine.yaml"
    file.write_text((ROOT / "config" / "presets" / "paper.yaml").read_text().replace(before, after))
    sections = [section.get("train_data", section["data"]) for section in load_preset(file)["tasks"].values()]
    cifar = [section for section in sections if section["name"].startswith("cifar10")]
    assert len(cifar) == 3
    assert all(section["name"] == "cifar10-jpeg" and "download" not in section for section in cifar)


def test_the_schema_knows_the_librarys_data_sets_solvers_and_settings_of_training():
    data, train = KINDS["data"]["properties"], KINDS["train"]["properties"]
    options = {name for source in DATASETS.values() for name in list(inspect.signature(source).parameters)[1:]}
    assert set(data["name"]["enum"]) == set(DATASETS) >= set(NATIVE_ROWS)
    assert set(data) == {"name"} | options
    assert set(train) == {field.name for field in dataclasses.fields(TrainSettings)}
    assert set(KINDS["sampling_solvers"]["properties"]) == set(NAMES) == set(SOLVERS) - {"feedforward"}
    assert tuple(KINDS["guess"]["enum"]) == guess.NAMES


def test_the_schema_knows_the_librarys_models_with_their_sizes_and_options():
    assert KINDS["own"]["properties"]["model"]["else"]["properties"]["kind"]["enum"] == [*tasks.MODELS]
    for kind in tasks.MODELS:
        model = KINDS[kind]["properties"]["model"]
        sizes = set(model.get("else", model)["properties"]) - {"kind"}
        assert sizes == {field.name for field in dataclasses.fields(model_class(kind))} - {"shape", "classes"}
    system = KINDS["system"]["properties"]
    words = {name: tuple(option["enum"]) for name, option in system.items() if "enum" in option}
    pixels, flow = (model_class(kind).options for kind in ("pixelcnnpp", "flow"))
    assert words == {name: tuple(dict.fromkeys((*pixels[name], *flow.get(name, ())))) for name in pixels}
    assert system.keys() - words.keys() == model_class("transformer").options.keys()


@pytest.mark.parametrize("file", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.stem)
def test_conda_environments_are_pinned_as_the_lock_file_is(file):
    locked = dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "requirements" / "lock.txt").read_text(), re.M))
    *_, packages = yaml.safe_load(file.read_text())["dependencies"]
    pinned = dict(line.split("==") for line in packages["pip"])
    assert pinned == {name: locked.get(name) for name in pinned}
