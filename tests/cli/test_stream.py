"""Many batches: the same files however they came about, nothing half-written, memory that does not grow."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import jax
import numpy as np
import pytest

from ffc import solve
from ffc.cli import main as cli
from ffc.core.errors import FFCError
from ffc.core.solvers import Sequential
from ffc.models.made import MADE
from ffc.store import checkpoints
from ffc.store.records import Record

SHAPE, BLOCKS = (3, 4, 1), 12
MODEL = MADE(SHAPE, hidden=(16, 16))
BATCHES, BATCH = 6, 3
WORDS = ("--solver", "jacobi", "--batch", BATCH, "--batches", BATCHES)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("checkpoints") / "made.flax"
    checkpoints.save(path, MODEL, MODEL.init(jax.random.key(0)), {})
    return path


def sample(made, folder, *words) -> int:
    """`ffc sample`; later words overrule earlier ones."""
    return cli.main([str(word) for word in ("sample", made, *WORDS, "--out", folder, *words)])


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def undisturbed(made, tmp_path_factory) -> Path:
    """A folder that one run on one device has filled."""
    folder = tmp_path_factory.mktemp("undisturbed") / "samples"
    assert sample(made, folder, "--quiet") == cli.DONE
    return folder


def in_a_process(made, folder, before: str, devices: int = 1) -> subprocess.CompletedProcess:
    """The same command in a process of its own, which runs the code `before` first."""
    code = textwrap.dedent(before) + "\nimport sys; from ffc.cli.main import main; sys.exit(main(sys.argv[1:]))"
    words = map(str, ("sample", made, *WORDS, "--out", folder))
    flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
    return subprocess.run([sys.executable, "-c", code, *words], env=os.environ | flags, capture_output=True, text=True)


def test_a_batch_is_drawn_from_the_seed_and_its_index(made, undisturbed):
    params = checkpoints.load(made).params
    for index in range(BATCHES):
        u = MODEL.noise(jax.random.fold_in(jax.random.key(0), index), BATCH)
        answer = solve(MODEL.system(params, u), Sequential()).value
        record = Record.load(undisturbed / f"batch_{index:06}.npz")
        np.testing.assert_array_equal(record["samples"], answer)
        assert record["status"].tolist() == ["certified"] * BATCH
        assert (record.meta["index"], record.meta["seed"], record.meta["solver"]) == (index, 0, "jacobi")


def test_the_summary_counts_all_samples(undisturbed):
    summary = json.loads((undisturbed / "summary.json").read_text())
    assert (summary["batches"], summary["samples"]) == (BATCHES, BATCHES * BATCH)
    assert summary["status"] == {"certified": BATCHES * BATCH}
    assert sum(summary["iterations"].values()) == BATCHES * BATCH
    assert sum(summary["proven"].values()) == BATCHES * BATCH
    assert summary["corrected"] == {"0": BATCHES * BATCH}
    assert 0 <= summary["residual"] < 1e-5
    assert max(map(int, summary["iterations"])) <= BLOCKS


def test_what_is_missing_is_drawn_to_the_same_bytes(made, undisturbed, tmp_path, capsys):
    folder = tmp_path / "samples"
    assert sample(made, folder, "--batches", 2) == cli.DONE
    (folder / "batch_000000.npz").unlink()
    capsys.readouterr()
    assert sample(made, folder) == cli.DONE
    printed = capsys.readouterr().out
    assert f"resuming: 1 of {BATCHES} batches are there\n" in printed
    assert f"{BATCHES * BATCH} of {BATCHES * BATCH} samples certified" in printed
    assert f"{(BATCHES - 1) * BATCH} drawn in" in printed
    assert files(folder) == files(undisturbed)
    assert sample(made, folder) == cli.DONE
    assert "none had to be drawn" in capsys.readouterr().out


@pytest.mark.parametrize(("place", "batches"), [("fsync", 2), ("replace", 3)])
def test_a_kill_changes_no_byte(made, undisturbed, tmp_path, place, batches):
    """While a batch is written, and before it takes its name; the settings are the first file of all."""
    folder = tmp_path / "samples"
    killed = in_a_process(
        made,
        folder,
        f"""
        import os, pathlib, signal
        calls, module = [], os if "{place}" == "fsync" else pathlib.Path
        whole = getattr(module, "{place}")
        def mortal(*arguments):
            calls.append(arguments)
            if len(calls) == {batches + 2}:
                os.kill(os.getpid(), signal.SIGKILL)
            return whole(*arguments)
        setattr(module, "{place}", mortal)
        """,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    left = [path.name for path in folder.iterdir()]
    whole = {name for name in left if not name.startswith(".")}
    assert whole == {"settings.json", *(f"batch_{index:06}.npz" for index in range(batches))}
    assert sum(name.startswith(".batch") for name in left) == 1, "what was being written"
    assert sample(made, folder) == cli.DONE
    assert files(folder) == files(undisturbed)


def test_devices_share_the_batches_and_change_no_byte(made, undisturbed, tmp_path):
    """One of the devices waits with its first batch until the others have written all that they can."""
    folder = tmp_path / "samples"
    run = in_a_process(
        made,
        folder,
        f"""
        import jax, threading
        from ffc.cli import stream
        used, written, dispatch, save = set(), threading.Semaphore(0), stream.Source.dispatch, stream.Record.save
        def dispatch_slowly(*arguments):
            used.add(jax.config.jax_default_device)
            if jax.config.jax_default_device == jax.local_devices()[0]:
                for _ in range({BATCHES - 1}):
                    assert written.acquire(timeout=60), "the others wait for a slow device"
            return dispatch(*arguments)
        def save_and_tell(*arguments):
            save(*arguments)
            written.release()
        stream.Source.dispatch, stream.Record.save = dispatch_slowly, save_and_tell
        import atexit
        atexit.register(lambda: print(len(used), "devices"))
        """,
        devices=3,
    )
    assert run.returncode == cli.DONE, run.stderr
    assert "3 devices" in run.stdout
    assert files(folder) == files(undisturbed)


@pytest.mark.stress
def test_memory_does_not_grow_with_the_number_of_batches(tmp_path):
    """Eight times as many batches, of a megabyte each, in the process that drew the first ones."""
    model, path = MADE((16, 16, 1), hidden=(4, 4)), tmp_path / "large.flax"
    checkpoints.save(path, model, model.init(jax.random.key(0)), {})
    code = f"""
        import resource, sys
        from ffc.cli import main as cli
        def peak(batches):
            words = "--solver jacobi --batch 1000 --quiet --batches".split()
            assert cli.main(["sample", {str(path)!r}, *words, str(batches), "--out", f"{tmp_path}/{{batches}}"]) == 0
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if sys.platform == "linux" else 1)
        few = peak(8)
        print(peak(64) - few)
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    one = Record.load(tmp_path / "64" / "batch_000063.npz")["samples"].nbytes
    assert int(run.stdout) < 56 * one / 2, "half of what the others hold"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--seed", 1], "begun with seed 0, not 1; ask for the same, or name a new folder"),
        (["--batch", 4], "begun with batch 3, not 4"),
        (["--solver", "cached"], "begun with solver jacobi, not cached"),
        (["--guess", "black", "--seed", 2], "begun with guess zeros, not black; seed 0, not 2"),
        (["--noise", "noise.npz"], "--noise: a file serves one batch"),
        (["--guess", "samples.npz"], "--guess: a file serves one batch"),
        (["--out", "samples.npz"], "samples.npz: 6 batches are a file each; name a folder"),
    ],
)
def test_other_settings_are_refused(made, undisturbed, capsys, words, expected):
    before = files(undisturbed)
    assert sample(made, undisturbed, *words) == cli.ERROR
    assert expected in capsys.readouterr().err
    assert files(undisturbed) == before


def test_other_weights_are_refused(undisturbed, tmp_path, capsys):
    other = tmp_path / "other.flax"
    checkpoints.save(other, MODEL, MODEL.init(jax.random.key(1)), {})
    assert sample(other, undisturbed) == cli.ERROR
    assert "begun with weights " in capsys.readouterr().err


def test_a_folder_of_other_files_is_left_alone(made, tmp_path, capsys):
    (tmp_path / "thesis.tex").touch()
    assert sample(made, tmp_path) == cli.ERROR
    assert "holds other files than samples; name a new folder" in capsys.readouterr().err
    assert list(files(tmp_path)) == ["thesis.tex"]


def test_one_run_at_a_time_writes_to_a_folder(made, undisturbed, capsys):
    descriptor = os.open(undisturbed, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        assert sample(made, undisturbed) == cli.ERROR
    finally:
        os.close(descriptor)
    assert "another run is writing to it" in capsys.readouterr().err


def test_a_damaged_batch_is_named(made, tmp_path, capsys):
    folder = tmp_path / "samples"
    sample(made, folder)
    (folder / "batch_000003.npz").write_bytes(b"PK")
    assert sample(made, folder) == cli.ERROR
    assert "batch_000003.npz: is damaged" in capsys.readouterr().err


def test_a_full_disk_ends_the_run_and_loses_nothing(made, undisturbed, tmp_path, capsys, monkeypatch):
    folder, save = tmp_path / "samples", Record.save

    def full(record, path):
        if record.meta["index"] == 2:
            raise FFCError(f"{path}: could not be written (No space left on device)")
        save(record, path)

    monkeypatch.setattr(Record, "save", full)
    assert sample(made, folder) == cli.ERROR
    assert "No space left" in capsys.readouterr().err
    monkeypatch.undo()
    assert sample(made, folder) == cli.DONE
    assert "resuming: 2 of" in capsys.readouterr().out
    assert files(folder) == files(undisturbed)


def test_a_race_is_run_once_in_a_folder(made, tmp_path, monkeypatch):
    from ffc.core import tune

    folder = tmp_path / "samples"
    assert sample(made, folder, "--solver", "auto", "--batches", 2) == cli.DONE
    monkeypatch.setattr(tune, "race", lambda *_: pytest.fail("the folder says which solver was chosen"))
    assert sample(made, folder, "--solver", "auto") == cli.DONE
    chosen = [Record.load(path).meta["chosen"] for path in sorted(folder.glob("batch_*.npz"))]
    assert chosen == [chosen[0]] * BATCHES


def test_samples_that_are_not_certified_show_in_the_exit_code(tmp_path, capsys):
    """Weights whose products overflow."""
    path = tmp_path / "vast.flax"
    params = jax.tree_util.tree_map_with_path(
        lambda at, leaf: leaf if at[-1].key == "mask" else leaf * 1e30, MODEL.init(jax.random.key(0))
    )
    checkpoints.save(path, MODEL, params, {})
    folder = tmp_path / "samples"
    assert sample(path, folder) == cli.NOT_EXACT
    assert f"{BATCHES * BATCH} of {BATCHES * BATCH} samples met a value that is not finite" in capsys.readouterr().out


def test_a_file_system_without_locks_serves_with_a_warning(made, undisturbed, tmp_path, capsys, monkeypatch):
    def unknown(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", unknown)
    assert sample(made, tmp_path / "samples") == cli.DONE
    assert "cannot be locked (No locks available); let one run at a time write to it" in capsys.readouterr().err
    assert files(tmp_path / "samples") == files(undisturbed)


def test_a_folder_goes_on_with_the_same_random_numbers_alone(made, undisturbed, tmp_path):
    """Threefry, as JAX comes, however it is set."""
    folder = tmp_path / "samples"
    assert sample(made, folder, "--batches", 2) == cli.DONE
    other = {"jax_default_prng_impl": "rbg", "jax_threefry_partitionable": False}
    usual = {name: getattr(jax.config, name) for name in other}
    try:
        for name, value in other.items():
            jax.config.update(name, value)
        assert sample(made, folder) == cli.DONE
    finally:
        for name, value in usual.items():
            jax.config.update(name, value)
    assert files(folder) == files(undisturbed)


def test_other_arithmetic_is_refused(made, undisturbed, capsys, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2 --xla_cpu_enable_fast_math=true")
    assert sample(made, undisturbed) == cli.ERROR
    assert "--xla_cpu_enable_fast_math=true" in capsys.readouterr().err
