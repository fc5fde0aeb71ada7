"""Records kept in the repository: small, and they draw the same figures and the same table."""

import dataclasses

import numpy as np
import pytest
import synthetic
from test_figures import assert_lines, lines_of

from ffc.core.errors import FFCError
from ffc.paper import figures, reference, summary
from ffc.store.records import Record

PLACE = "abacus-10-rows/tiny/records"


@pytest.fixture(scope="module")
def kept(made_up, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    reference.keep(made_up.parent, folder)
    return folder / PLACE


def test_the_table_is_the_same_and_lies_beside_the_records(made_up, kept, tmp_path):
    assert summary.table(summary.load(kept)) == summary.table(summary.load(made_up))
    assert (kept.parent / "summary.md").read_text() == summary.write(made_up, tmp_path)


def test_figures_of_samplers_are_the_same(made_up, kept):
    """All others show what is kept whole."""
    for name in (name for name in figures.FIGURES if name.startswith(("made", "pixelcnnpp_mnist"))):
        before, after = (figures.draw(name, folder).axes for folder in (made_up, kept))
        for one, other in zip(before, after, strict=True):
            assert_lines(one, lines_of(other))
            for picture, again in zip(one.images, other.images, strict=True):
                np.testing.assert_array_equal(picture.get_array(), again.get_array())


def test_only_what_is_drawn_is_kept_of_one_sample(kept):
    record = Record.load(kept / "made_cifar" / "jacobi.npz")
    assert {record[name].shape[1] for name in ("snapshots", "error_l2", "error_max", "change")} == {1}
    assert "one sample" in record.meta["reduced"]
    left_out = ("samples", "pictures", "outputs", "logits", "trained_W_h")
    record = synthetic.record(dict.fromkeys((*left_out, "loss"), np.ones(2)), "rnn", "jacobi")
    assert set(reference.reduced(record).arrays) == {"loss"}


def test_keeping_again_replaces_what_was_there(made_up, kept, tmp_path):
    path = tmp_path / PLACE
    path.mkdir(parents=True)
    (path / "old.npz").touch()
    reference.keep(made_up.parent, tmp_path)
    assert [len([*folder.rglob("*.npz")]) for folder in (path, kept)] == [25, 25]


def test_one_device_makes_a_reference_beside_what_it_is_made_of(tmp_path):
    results = tmp_path / "abacus-10-rows" / "quick"
    with pytest.raises(FFCError, match="no records there; run the preset first: snakemake quick"):
        reference.keep(results, tmp_path)
    record, folder = synthetic.training("feedforward", 1.0), results / "records" / "rnn"
    record.save(folder / "one.npz")
    with pytest.raises(FFCError, match=r"holds the records that are to be copied.*name another folder"):
        reference.keep(results, tmp_path)
    assert (folder / "one.npz").exists()
    other = {"device": {"platform": "gpu", "name": "Comet"}}
    dataclasses.replace(record, meta=record.meta | other).save(folder / "other.npz")
    with pytest.raises(FFCError, match=r"different devices \(Abacus, 10 rows; Comet\)"):
        reference.keep(results, tmp_path)
