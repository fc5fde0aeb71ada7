"""What is written in two places agrees: sizes of models, presets, the configuration, environments."""

import dataclasses
import re

import pytest
import schemas
import tasks
import yaml
from places import ROOT
from presets import load_preset, load_presets

from ffc.core.names import GUESSES
from ffc.core.solvers import SOLVERS
from ffc.data import DATASETS, options_of
from ffc.models import model_class
from ffc.models.kinds import KINDS
from ffc.models.pixelcnnpp.coupling import COUPLINGS
from ffc.paper.tasks import PAPER
from ffc.training import TrainSettings

PRESETS, FAULTS = load_presets(ROOT / "config" / "presets")


def test_every_preset_is_sound_and_those_of_the_paper_have_all_its_tasks_and_solvers():
    assert not FAULTS
    solvers = {task: set(section["solvers"]) for task, section in PRESETS["quick"]["tasks"].items()}
    for name in ("quick", "small", "paper"):
        sections = PRESETS[name]["tasks"]
        assert [*sections] == [*tasks.stand_ins(sections)] == [*PAPER]
        assert {task: schemas.experiment_of(section) for task, section in sections.items()} == PAPER
        # Where samples are not rounded, those that are have a sequential answer of their own.
        assert {task: {*section["solvers"]} - {"cached_8bit"} for task, section in sections.items()} == solvers


def test_a_presets_cifar10_becomes_that_of_jpeg_files_by_the_readmes_command(tmp_path):
    before, after = re.search(r"sed 's/(.+)/(.+)/' config", (ROOT / "config" / "README.md").read_text()).groups()
    file = tmp_path / "mine.yaml"
    file.write_text((ROOT / "config" / "presets" / "paper.yaml").read_text().replace(before, after))
    sections = [section.get("train_data", section["data"]) for section in load_preset(file)["tasks"].values()]
    cifar = [section for section in sections if section["name"].startswith("cifar10")]
    assert len(cifar) == 3
    assert all(section["name"] == "cifar10-jpeg" and "download" not in section for section in cifar)


def test_the_configurations_page_names_every_key_of_a_preset_and_every_word_that_it_may_be():
    """Sizes of models apart, which their classes explain."""
    schema = schemas.of_preset(PRESETS["quick"])["properties"]
    words = {*schemas.CONFIG["properties"], *schema, *DATASETS, *GUESSES, *SOLVERS, *sum(SOLVERS.values(), ())}
    words |= {key for task in schema["tasks"]["properties"].values() for key in task["properties"]}
    words |= {option for name in DATASETS for option in options_of(name)}
    words |= {key for kind in KINDS.values() for key in (*kind.options, *kind.scaling)}
    words |= {field.name for field in dataclasses.fields(TrainSettings)}
    shown = re.findall(r"`([^`]+)`", (ROOT / "config" / "README.md").read_text().replace("```", ""))
    assert words - set(re.findall(r"[\w-]+", " ".join(shown))) == set()


def test_a_model_has_the_sizes_that_its_kind_declares_and_words_of_its_systems_options_stand_for_something():
    for kind in KINDS:
        fields = {field.name: field.default for field in dataclasses.fields(model_class(kind))}
        declared = {name: size["default"] for name, size in KINDS[kind].sizes.items()}
        assert fields.items() >= {name: tuple(v) if isinstance(v, list) else v for name, v in declared.items()}.items()
        assert fields.keys() - declared.keys() <= {"shape", "classes"}
        assert model_class(kind).kind == kind
    assert KINDS["pixelcnnpp"].options["coupling"] == (*COUPLINGS,)


@pytest.mark.parametrize("file", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.stem)
def test_conda_environments_are_pinned_as_the_lock_file_is(file):
    locked = dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "requirements" / "lock.txt").read_text(), re.M))
    *_, packages = yaml.safe_load(file.read_text())["dependencies"]
    pinned = dict(line.split("==") for line in packages["pip"])
    assert pinned == {name: locked.get(name) for name in pinned}
