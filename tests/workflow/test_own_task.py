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


def test_the_page_does_what_it_says_with_other_tasks_of_free_names_beside_its_own(tmp_path):
    """Down to the report: samples that are no pictures, and a recurrence."""
    preset = yaml.safe_load(block("yaml"))
    preset["tasks"] |= {name: FREE["tasks"][name] for name in ("words", "memory")}
    project = copy_to(tmp_path, belief=preset)
    (project / "belief.py").write_text(block("python"))
    (project / "blind.py").write_text(BLIND)
    printed = snakemake(project, "belief")
    assert re.search(r"^belief, .*as fast as the fastest sequential evaluation", printed, re.M)
    results = project / "results" / "belief"
    named = re.findall(r"^\| (`.*`) \|", PAGE.partition("in `results/belief/`")[2].partition("\n\n")[0], re.M)
    for name in re.findall(r"`(\w+/[^`<]+|\w+\.\w+)`", "\n".join(named)):
        assert (results / name).exists(), name
    assert {"words", "words_iter", "words_time", "memory_begin", "memory_scaling"} <= {
        path.stem for path in (results / "figures").glob("*.png")
    }
    for solver in ("sequential", "jacobi", "gs_jacobi"):
        record = Record.load(results / "records" / "belief" / f"{solver}.npz")
        assert record.meta["settings"]["experiment"] == "sampling"
        np.testing.assert_array_equal(record["max_difference"], 0)
    record = Record.load(results / "records" / "words" / "jacobi.npz")
    assert record["settled"][-1].all()
    assert "snapshots" not in record.arrays
    rows = (results / "summary.md").read_text()
    assert re.search(r"^\| words \| Jacobi ", rows, re.M)
    assert "paper: " not in rows

    (project / "belief.py").write_text(block("python") + "\n")
    drawn = {"notebook", "figure", "summary", "table"}
    made = planned(project, "belief")
    assert made.keys() == {"train", "weights", "solve"} | drawn
    assert not any("memory" in file for file in made["solve"])
