"""Environments with packages that few tests need, on top of this one: Snakemake starts slower beside all of them."""

import re
import subprocess
import sys
import sysconfig
from collections.abc import Collection
from pathlib import Path

from places import ROOT


def python_with(folder: Path, extra: str, packages: Collection[str] = ()) -> Path:
    """Return the Python of a new environment in `folder`: this one's packages and, as pinned, `packages` of an extra.

    By default it has all packages of requirements/`extra`.txt.
    """
    text = (ROOT / "requirements" / f"{extra}.txt").read_text()
    entries = re.findall(r"^\S.*?(?=^\S|\Z)", text, re.DOTALL | re.MULTILINE)
    needed, python = folder / "needed.txt", folder / extra / "bin" / "python"
    needed.write_text("".join(entry for entry in entries if not packages or entry.split("==")[0] in packages))
    uv = [sys.executable, "-m", "uv", "--quiet"]
    subprocess.run([*uv, "venv", "--python", sys.executable, folder / extra], check=True)
    install = ["pip", "install", "--python", python, "--no-deps", "--require-hashes", "--requirement", needed]
    subprocess.run([*uv, *install], check=True)
    own = next((folder / extra / "lib").glob("python3*/site-packages"))
    (own / "these.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    return python
