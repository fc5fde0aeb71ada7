"""Setting up: what is refused with one line, and settings of a user that must not matter."""

import ast
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

sys.path.insert(0, str(ROOT))
import bootstrap

SCRIPT = ROOT / "bootstrap.py"


def test_a_folder_that_snakemake_cannot_run_in_is_named_and_others_will_do():
    for name in ("my project", "a[1]", "it's", 'say "so"', "a;b", "a&b", "$HOME", "a*b", "a:b"):
        assert "move the project elsewhere" in bootstrap.unfit(Path("/data") / name)
    assert bootstrap.unfit(Path("/data/ffc-0.1_b+c@d/a%b=c,d~e/Übung")) is None


def test_what_cannot_work_is_refused(monkeypatch):
    """A machine, a folder, or a configuration of uv that sends packages elsewhere."""
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr(bootstrap, "run", lambda command, **variables: None)
    check, install = bootstrap.refuse_what_cannot_work, lambda: bootstrap.install(set())
    check()
    for name, value, call, message in (
        ("ROOT", Path("/my project"), check, "move the project elsewhere"),
        ("platform.machine", lambda: "x86_64", check, "Darwin x86_64, which JAX has no package for"),
        ("PYTHON", Path("/no/python"), install, "take `target` and `prefix` out"),
    ):
        monkeypatch.setattr(f"bootstrap.{name}", value)
        with pytest.raises(SystemExit, match=message):
            call()


def test_an_old_python_gets_one_line(monkeypatch):
    """It must understand the whole file before it runs the first line."""
    code = SCRIPT.read_text()
    ast.parse(code, feature_version=(3, 7))
    monkeypatch.setattr(sys, "version_info", (3, 6, 8))
    with pytest.raises(
        SystemExit, match=r"bootstrap: this is Python 3\.6\.8; the project needs 3\.11 or newer: python3"
    ):
        exec(code, {})


@pytest.mark.packages
@pytest.mark.stress
def test_settings_that_send_packages_elsewhere_do_not_matter(tmp_path):
    home, elsewhere, project = (tmp_path / name for name in ("home", "elsewhere", "project"))
    (home / ".config" / "pip").mkdir(parents=True)
    (home / ".config" / "pip" / "pip.conf").write_text(f"[install]\nuser = true\ntarget = {elsewhere}\n")
    subprocess.run(["git", "clone", "--quiet", ROOT, project], check=True)
    cache = subprocess.run([sys.executable, "-m", "uv", "cache", "dir"], capture_output=True, text=True, check=True)
    settings = dict.fromkeys(("PIP_USER", "UV_SYSTEM_PYTHON", "UV_REQUIRE_HASHES", "UV_NO_EDITABLE"), "1")
    settings |= {"PIP_TARGET": str(elsewhere), "PIP_PREFIX": str(elsewhere), "PYTHONPATH": "/nowhere"}
    settings |= {"HOME": str(home), "UV_CACHE_DIR": cache.stdout.strip()}
    command = [sys.executable, project / "bootstrap.py"]
    run = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert not elsewhere.exists()
    subprocess.run([project / ".venv" / "bin" / "ffc", "--version"], check=True)
