"""Records kept in the repository: small, and they draw the same figures and the same table."""

import dataclasses

import numpy as np
import pytest
import synthetic

from ffc.cli import main as cli
from ffc.core.errors import FFCError
from ffc.paper import figures, reference, summary
from ffc.store.records import Record


@pytest.fixture
def results(tmp_path):
    synthetic.write(tmp_path / "results" / "tiny" / "records")
    return tmp_path / "results" / "tiny"


@pytest.fixture
def kept(results, tmp_path):
    reference.keep(results, tmp_path / "reference")
    return tmp_path / "reference" / "abacus-10-rows" / "tiny" / "records"


def test_the_table_lies_beside_the_records(results, kept):
    assert (kept.parent / "summary.md").read_text() == summary.write(results / "records", results)


def test_a_device_names_its_folder():
    assert reference.slug("NVIDIA H100 80GB HBM3") == "nvidia-h100-80gb-hbm3"
    assert reference.slug("AMD EPYC, 2 cores") == "amd-epyc-2-cores"


def test_the_table_is_the_same(results, kept):
    assert summary.table(summary.load(kept)) == summary.table(summary.load(results / "records"))


@pytest.mark.parametrize("name", ["made_mnist_time_nolog_iter", "pixelcnnpp_cifar10", "rnn_end", "densenet"])
def test_curves_are_the_same(results, kept, name):
    before, after = (figures.draw(name, folder).axes[0].get_lines() for folder in (results / "records", kept))
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(one.get_data(), other.get_data(), rtol=1e-6)


def test_the_command_line_says_where_it_kept_what(results, tmp_path, capsys):
    assert cli.main(["keep", str(results), "--into", str(tmp_path / "there")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'there' / 'abacus-10-rows' / 'tiny' / 'records'}: 25 records\n"


def test_only_one_samples_pictures_are_kept(kept):
    record = Record.load(kept / "made_cifar" / "jacobi.npz")
    assert record["snapshots"].shape[1] == record["error_l2"].shape[1] == 1
    assert "one sample" in record.meta["reduced"]
    figures.draw("made_cifar", kept)


def test_samples_and_weights_are_left_out():
    record = synthetic.record({"samples": np.zeros(9), "trained_W_h": np.zeros(9), "loss": np.ones(2)}, "rnn", "jacobi")
    assert set(reference.reduced(record).arrays) == {"loss"}


def test_keeping_again_replaces_what_was_there(results, kept, tmp_path):
    (results / "records" / "made_mnist" / "cached.npz").unlink()
    reference.keep(results, tmp_path / "reference")
    assert not (kept / "made_mnist" / "cached.npz").exists()


def test_two_devices_do_not_make_one_reference(results, tmp_path):
    path = results / "records" / "made_mnist" / "jacobi.npz"
    record = Record.load(path)
    dataclasses.replace(record, meta=record.meta | {"device": {"platform": "gpu", "name": "Comet"}}).save(path)
    with pytest.raises(FFCError, match=r"different devices \(Abacus, 10 rows; Comet\)"):
        reference.keep(results, tmp_path / "reference")


def test_without_records_there_is_nothing_to_keep(tmp_path):
    with pytest.raises(FFCError, match="no records there; run the preset first: snakemake quick"):
        reference.keep(tmp_path / "results" / "quick", tmp_path / "reference")
