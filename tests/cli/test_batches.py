"""Many batches: the same files however they came about, nothing half-written, memory that does not grow."""

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import jax
import numpy as np
import pytest
from commands import BATCH, MODELS, run, weights
from PIL import Image

from ffc import Jacobi, Sequential, solve
from ffc.cli import DONE, ERROR, INTERRUPTED, NOT_EXACT
from ffc.cli import batches as drawing
from ffc.core import tune
from ffc.core.errors import FFCError
from ffc.core.keys import key_of
from ffc.models.made import MADE
from ffc.store import checkpoints
from ffc.store.records import Record

MODEL, BATCHES, SEED = MODELS["made"], 6, 2**32 + 5  # a seed that JAX's own keys cut off
WORDS = ("--solver", "jacobi", "--batch", BATCH, "--batches", BATCHES, "--seed", SEED)
ALL = BATCHES * BATCH


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def batches(folder: Path) -> list[Record]:
    return [Record.load(path) for path in sorted(folder.glob("batch_*.npz"))]


@pytest.fixture(scope="module")
def undisturbed(made, tmp_path_factory) -> Path:
    """A folder that one run on one device has filled."""
    folder = tmp_path_factory.mktemp("undisturbed") / "samples"
    assert run("sample", made, *WORDS, "--out", folder, "--quiet") == DONE
    return folder


@pytest.fixture
def sample(ffc, made):
    """Calls `ffc sample` on a folder: what it prints; later words overrule earlier ones."""
    return lambda folder, *words, **options: ffc("sample", made, *WORDS, "--out", folder, *words, **options)


def program(code: str, *words, devices: int = 1) -> subprocess.CompletedProcess:
    """A process of its own, with so many devices; `main` is the command line, `sample()` the command of these words."""
    before = f"from ffc.cli.main import main\nsample = lambda: main({['sample', *map(str, words)]!r})\n"
    flags = {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"}
    command = [sys.executable, "-c", before + textwrap.dedent(code)]
    return subprocess.run(command, env=os.environ | flags, capture_output=True, text=True)


def test_a_batch_is_drawn_from_the_seed_and_its_index_and_the_summary_counts_all(made, sample, undisturbed, folder):
    params, records = checkpoints.load(made).params, batches(undisturbed)
    for index, record in enumerate(records):
        u = MODEL.noise(jax.random.fold_in(key_of(SEED), index), BATCH)
        np.testing.assert_array_equal(record["samples"], solve(MODEL.system(params, u), Sequential()).value)
        assert record["status"].tolist() == ["certified"] * BATCH
        assert (record.meta["index"], record.meta["seed"], record.meta["solver"]) == (index, SEED, "jacobi")
    iterations = Counter(str(count) for record in records for count in record["iterations"])
    residual = max(float(record["residual"].max()) for record in records)
    assert residual < 1e-5
    about = {"batches": BATCHES, "samples": ALL, "iterations": dict(iterations), "residual": residual}
    about |= {"status": {"certified": ALL}, "ties": {"0": ALL}, "proven": {"True": ALL}, "corrected": {"0": ALL}}
    assert json.loads((undisturbed / "summary.json").read_text()) == about
    shutil.copytree(undisturbed, folder)
    Record(records[0].arrays | {"residual": np.full(BATCH, 0.5)}, records[0].meta).save(folder / "batch_000000.npz")
    sample(folder)
    assert json.loads((folder / "summary.json").read_text())["residual"] == 0.5, "of the first batch"


def test_what_is_missing_is_drawn_to_the_same_bytes_and_debris_is_swept(sample, undisturbed, folder):
    sample(folder, "--batches", 2)
    (folder / "batch_000000.npz").unlink()
    for name in (".batch_000002.npz.0a1b2c3d", ".settings.json.0a1b2c3d", ".summary.json.0a1b2c3d", ".a.b.c"):
        (folder / name).write_text("half")
    printed = sample(folder).out
    assert f"{ALL} of {ALL} samples certified" in printed
    assert f"{ALL - BATCH} of {ALL} samples drawn now" in printed
    (folder / ".a.b.c").unlink()  # not ours, and so not swept
    assert files(folder) == files(undisturbed)
    assert f"; 0 of {ALL} samples drawn now" in sample(folder).out


@pytest.mark.parametrize(
    ("error", "code"), [(FFCError("No space left on device"), ERROR), (KeyboardInterrupt(), INTERRUPTED)]
)
def test_a_full_disk_or_an_interruption_loses_nothing(sample, undisturbed, folder, monkeypatch, error, code):
    def broken(record, path, save=Record.save):
        if record.meta["index"] == 2:
            raise error
        save(record, path)

    with monkeypatch.context() as patch:
        patch.setattr(Record, "save", broken)
        assert (str(error) or "nothing was left half-written") in sample(folder, code=code).err
    assert not (folder / "summary.json").exists()
    assert f"; {ALL - 2 * BATCH} of {ALL} samples drawn now" in sample(folder).out
    assert files(folder) == files(undisturbed)


@pytest.mark.stress
@pytest.mark.parametrize(("module", "place", "whole"), [("os", "fsync", 2), ("pathlib.Path", "replace", 3)])
def test_a_kill_changes_no_byte(made, sample, undisturbed, folder, module, place, whole):
    """While a batch is written, and before it takes its name; the settings are the first file of all."""
    code = f"""
        import itertools, os, pathlib, signal
        calls, original = itertools.count(1), {module}.{place}
        def mortal(*arguments):
            if next(calls) == {whole + 2}:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments)
        {module}.{place} = mortal
        sample()
    """
    killed = program(code, made, *WORDS, "--out", folder)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    left = {path.name for path in folder.iterdir()}
    half = {name for name in left if name.startswith(".batch")}
    assert left - half == {"settings.json", *(f"batch_{index:06}.npz" for index in range(whole))}
    assert len(half) == 1, "what was being written"
    sample(folder)
    assert files(folder) == files(undisturbed)


@pytest.mark.stress
def test_devices_share_the_batches_and_change_no_byte(made, undisturbed, folder):
    """One of the devices waits with its first batch until the others have written all that they can."""
    code = f"""
        import jax, threading
        from ffc.cli import batches
        used, written, draw, save = set(), threading.Semaphore(0), batches.Source.draw, batches.Record.save
        def draw_slowly(*arguments):
            used.add(jax.config.jax_default_device)
            if jax.config.jax_default_device == jax.local_devices()[0]:
                for _ in range({BATCHES - 1}):
                    assert written.acquire(timeout=60), "the others wait for a slow device"
            return draw(*arguments)
        def save_and_tell(*arguments):
            save(*arguments)
            written.release()
        batches.Source.draw, batches.Record.save = draw_slowly, save_and_tell
        print(sample(), len(used))
    """
    process = program(code, made, *WORDS, "--out", folder, devices=3)
    assert process.stdout.endswith(f"\n{DONE} 3\n"), process.stderr
    assert files(folder) == files(undisturbed)


@pytest.mark.stress
def test_memory_does_not_grow_with_the_number_of_batches(tmp_path):
    """Eight times as many batches, of a megabyte each, in the process that drew the first ones."""
    model, path = MADE((16, 16, 1), hidden=(4, 4)), tmp_path / "large.flax"
    checkpoints.save(path, model, weights(model), {})
    code = f"""
        import resource, sys
        def peak(batches):
            words = "--solver jacobi --batch 1000 --quiet --batches".split()
            assert main(["sample", {str(path)!r}, *words, str(batches), "--out", f"{tmp_path}/{{batches}}"]) == 0
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if sys.platform == "linux" else 1)
        few = peak(8)
        print(peak(64) - few)
    """
    process = program(code)
    assert process.returncode == 0, process.stderr
    one = Record.load(tmp_path / "64" / "batch_000063.npz")["samples"].nbytes
    assert int(process.stdout) < 56 * one / 2, "half of what the others hold"


def test_other_settings_weights_and_arithmetic_are_refused(ffc, sample, undisturbed, tmp_path, monkeypatch):
    before, flags = files(undisturbed), os.environ.get("XLA_FLAGS", "")
    for words, told in (
        (("--seed", 1), f"begun with seed {SEED}, not 1; ask for the same, or name a new folder"),
        (("--no-verify",), "verify True, not False"),
        (("--solver", "gs_jacobi", "--window", "2"), "solver jacobi, not gs_jacobi; window None, not 2"),
    ):
        assert told in sample(undisturbed, *words, code=ERROR).err
    checkpoints.save(tmp_path / "other.flax", MODEL, weights(MODEL, seed=1), {})
    printed = ffc("sample", tmp_path / "other.flax", *WORDS, "--out", undisturbed, code=ERROR)
    assert "begun with weights " in printed.err
    for flag, code in (("--xla_dump_to=none", DONE), ("--xla_cpu_enable_fast_math=true", ERROR)):
        monkeypatch.setenv("XLA_FLAGS", f"{flags} --xla_force_host_platform_device_count=2 {flag}")
        assert (flag in sample(undisturbed, code=code).err) == (code == ERROR)
    assert files(undisturbed) == before


def test_a_folder_that_is_not_ours_or_is_damaged_is_named(sample, undisturbed, folder):
    folder.mkdir()
    (folder / "thesis.tex").touch()
    assert "holds other files than samples; name a new folder" in sample(folder, code=ERROR).err
    assert list(files(folder)) == ["thesis.tex"]
    for changes, told in (
        ({drawing.SETTINGS: b"[]"}, "not the settings"),
        ({"batch_000003.npz": b"PK"}, "delete it, and make it again"),
    ):
        for name, content in (files(undisturbed) | changes).items():
            (folder / name).write_bytes(content)
        line = sample(folder, code=ERROR).err
        assert f"{next(iter(changes))}: " in line
        assert told in line


def test_one_run_at_a_time_writes_to_a_folder_if_its_file_system_has_locks(sample, undisturbed, folder, monkeypatch):
    descriptor = os.open(undisturbed, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert "another run is writing to it" in sample(undisturbed, code=ERROR).err
    os.close(descriptor)
    sample(undisturbed)

    def unknown(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", unknown)
    assert "cannot be locked (No locks available); let one run at a time write to it" in sample(folder).err
    assert files(folder) == files(undisturbed)


def test_a_race_is_run_once_in_a_folder(sample, folder, monkeypatch):
    races = []
    monkeypatch.setattr(tune, "fastest", lambda *arguments: races.append(arguments) or Jacobi())
    sample(folder, "--solver", "auto", "--batches", 2)
    sample(folder, "--solver", "auto", "--batches", 3)
    assert len(races) == 1
    assert [record.meta["chosen"] for record in batches(folder)] == [{"solver": "jacobi"}] * 3


def test_samples_that_are_not_certified_show_in_the_exit_code(ffc, folder, tmp_path):
    """Weights whose products overflow."""
    path = tmp_path / "vast.flax"
    checkpoints.save(path, MODEL, weights(MODEL, scale=1e15), {})
    printed = ffc("sample", path, *WORDS, "--out", folder, code=NOT_EXACT)
    assert f"{ALL} of {ALL} samples met a value that is not finite" in printed.out
    ffc("sample", path, "--solver", "jacobi", "--batch", BATCH, "--out", tmp_path / "one.npz", code=NOT_EXACT)
    assert Record.load(tmp_path / "one.npz")["status"].tolist() == ["not_finite"] * BATCH


def test_the_picture_shows_the_first_samples_and_quiet_is_quiet(sample, undisturbed, tmp_path):
    assert sample(undisturbed, "--quiet", "--image", tmp_path / "samples.png") == ("", "")
    with Image.open(tmp_path / "samples.png") as image:
        assert image.size == (5 * MODEL.shape[1], 4 * MODEL.shape[0])  # eighteen tiles in five columns
    samples = np.concatenate([record["samples"] for record in batches(undisturbed)])
    np.testing.assert_array_equal(drawing.first_samples(undisturbed, 7), samples[:7])
