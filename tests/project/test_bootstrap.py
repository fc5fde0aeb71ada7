"""Setting up: what is refused with one line, and settings of a user that must not matter."""

import ast
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT
from tiny import copy_to, snakemake

sys.path.insert(0, str(ROOT))
import bootstrap

SCRIPT = ROOT / "bootstrap.py"


@pytest.mark.parametrize("name", ["my project", "a[1]", "it's", 'say "so"', "a;b", "a&b", "$HOME", "a*b", "a:b"])
def test_a_folder_that_snakemake_cannot_run_in_is_named_with_the_character(name):
    assert "move the project elsewhere" in bootstrap.unfit(Path("/data") / name)


@pytest.mark.parametrize("name", ["project", "ffc-0.1_b+c@d", "a%b=c,d~e", "Übung"])
def test_other_folders_will_do(name):
    assert bootstrap.unfit(Path("/data") / name) is None


def test_the_workflow_refuses_such_a_folder_too(tmp_path):
    folder = tmp_path / "my project"
    folder.mkdir()
    run = snakemake(copy_to(folder), "-n", "tiny")
    assert run.returncode != 0
    assert "cannot run below a path with ' '" in run.stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("platform.machine", lambda: "x86_64"), "this is Darwin x86_64, which JAX has no package for"),
        (("ROOT", Path("/my project")), "move the project elsewhere"),
    ],
    ids=["machine", "folder"],
)
def test_what_cannot_work_is_refused_by_one_line(monkeypatch, change, message):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr(f"bootstrap.{change[0]}", change[1])
    with pytest.raises(SystemExit, match=message) as caught:
        bootstrap.refuse_what_cannot_work()
    assert "\n" not in str(caught.value)


def test_an_old_python_gets_one_line():
    """It must understand the whole file before it runs the first line; what it has no classes for comes later."""
    ast.parse(SCRIPT.read_text(), feature_version=(3, 7))
    code = f"import sys; sys.version_info = (3, 6, 8); exec(compile(open({str(SCRIPT)!r}).read(), 'old', 'exec'))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 1
    expected = "bootstrap: this is Python 3.6.8; the project needs 3.11 or newer: python3.11 ..."
    assert run.stderr.splitlines() == [expected]


def test_an_option_that_does_not_exist_is_named():
    run = subprocess.run([sys.executable, SCRIPT, "--tpu"], capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1] == "bootstrap.py: error: unrecognized arguments: --tpu"


def test_packages_that_uvs_configuration_sent_elsewhere_are_missed(monkeypatch):
    monkeypatch.setattr(bootstrap, "run", lambda command, **variables: None)
    monkeypatch.setattr(bootstrap, "PYTHON", Path("/no/python"))
    with pytest.raises(SystemExit, match=r"uv put the packages elsewhere; take `target` and `prefix` out"):
        bootstrap.install(set())


@pytest.mark.packages
@pytest.mark.stress
def test_settings_that_send_packages_elsewhere_do_not_matter(tmp_path):
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    (home / ".config" / "pip").mkdir(parents=True)
    (home / ".config" / "pip" / "pip.conf").write_text(f"[install]\nuser = true\ntarget = {elsewhere}\n")
    project = tmp_path / "project"
    subprocess.run(["git", "clone", "--quiet", ROOT, project], check=True)
    cache = subprocess.run([sys.executable, "-m", "uv", "cache", "dir"], capture_output=True, text=True, check=True)
    settings = {"PIP_USER": "1", "PIP_TARGET": str(elsewhere), "PIP_PREFIX": str(elsewhere), "UV_SYSTEM_PYTHON": "1"}
    settings |= {"UV_REQUIRE_HASHES": "1", "UV_NO_EDITABLE": "1"}
    settings |= {"HOME": str(home), "UV_CACHE_DIR": cache.stdout.strip(), "PYTHONPATH": "/nowhere"}
    run = subprocess.run(
        [sys.executable, project / "bootstrap.py"], env=os.environ | settings, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert not elsewhere.exists()
    subprocess.run([project / ".venv" / "bin" / "ffc", "--version"], check=True)
