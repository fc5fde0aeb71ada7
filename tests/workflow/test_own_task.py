"""Tasks of one's own: the page that shows one does what it says, and tasks may have any names."""

import re

import numpy as np
import pytest
import yaml
from forks import snakemake
from places import ROOT
from tiny import FREE, copy_to, planned

from ffc.store.records import Record

pytestmark = pytest.mark.stress
PAGE = (ROOT / "docs" / "own_task.md").read_text()
#: Samples that are no pictures, whole numbers at that.
BLIND = """
import jax.numpy as jnp
from belief import BeliefNetwork
from ffc.models import Sampler

class Blind(BeliefNetwork):
    kind = "blind:Blind"
    pictures = Sampler.pictures

    def samples(self, x):
        return x.astype(jnp.uint8)
"""


def block(language: str) -> str:
    return re.search(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)[1]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project with the page's two files; and a preset whose tasks have names of their own.

    What one process draws for all solvers of a task, those of `belief` draw in processes of their own.
    """
    folder = copy_to(tmp_path_factory.mktemp("own"), belief=yaml.safe_load(block("yaml")), free=FREE)
    (folder / "belief.py").write_text(block("python"))
    (folder / "blind.py").write_text(BLIND)
    return folder


def test_the_page_does_what_it_says_and_a_preset_of_free_names_runs_to_its_report_and_its_bench(project):
    printed = snakemake(project, "belief", "free", "results/free/bench.md")
    assert re.search(r"^belief, .*as fast as the fastest sequential evaluation", printed, re.M)
    results = project / "results" / "belief"
    named = re.findall(r"^\| (`.*`) \|", PAGE.partition("in `results/belief/`")[2].partition("\n\n")[0], re.M)
    for name in re.findall(r"`(\w+/[^`<]+|\w+\.\w+)`", "\n".join(named)):
        assert (results / name).exists(), name
    assert "paper: " not in (results / "summary.md").read_text()
    for solver in ("sequential", "jacobi", "gs_jacobi"):
        record = Record.load(results / "records" / "belief" / f"{solver}.npz")
        assert record.meta["settings"]["experiment"] == "sampling"
        np.testing.assert_array_equal(record["max_difference"], 0)
    (project / "belief.py").write_text(block("python") + "\n")
    drawn = {"notebook", "figure", "summary", "table"}
    assert planned(project, "belief").keys() == {"train", "weights", "solve"} | drawn

    results = project / "results" / "free"
    figures = {path.stem for path in (results / "figures").glob("*.png")}
    assert {"words", "words_iter", "words_time", "made_mnist", "memory_begin", "memory_scaling", "training"} <= figures
    record = Record.load(results / "records" / "words" / "jacobi.npz")
    assert record["settled"][-1].all()
    assert "snapshots" not in record.arrays
    rows = (results / "summary.md").read_text()
    assert re.search(r"^\| Digits \| Jacobi .*\| 31 \| 0.0126 \|", rows, re.M)
    assert re.search(r"^\| words \| Jacobi .*\| – \| – \|", rows, re.M)
    assert "| words | Jacobi |" in (results / "bench.md").read_text()
