"""What the workflow's scripts need beyond the library proper: running notebooks, and pages for the report."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

from ffc.core.errors import FFCError, need
from ffc.store.records import write_bytes

#: Seconds that a kernel may take to start, and a cell to run.
START_TIMEOUT, CELL_TIMEOUT = 120, 1800

STYLE = """body { font: 14px/1.5 sans-serif }
p, pre { max-width: 60em }
table { border-collapse: collapse }
th { text-align: left; border-bottom: 2px solid #888 }
th, td { padding: 4px 10px }
td:nth-child(n+3) { white-space: nowrap } /* a number keeps its exponent */
tr:nth-child(even) { background: #f3f3f3 }
pre { background: #f6f6f6; padding: 6px 10px; overflow-x: auto }
img { max-width: 100% }"""


def run_notebook(notebook: Path, executed: Path, output: Path, parameters: dict[str, Any]) -> None:
    """Run `notebook` with `parameters`, cell by cell into `executed`, and copy it to `output` when all went well.

    Raises `FFCError` on a parameter that the notebook does not have (papermill would pass it on in silence),
    where a cell raised an error, and where the kernel did not start or a cell took too long.
    """
    need("papermill", extra="paper")
    import papermill
    from jupyter_client.kernelspec import NATIVE_KERNEL_NAME
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    declared = papermill.inspect_notebook(str(notebook))
    if unknown := sorted(parameters.keys() - declared.keys()):
        raise FFCError(
            f"{notebook}: has no parameter {', '.join(unknown)}; its cell tagged `parameters` has "
            f"{', '.join(declared) or 'none'}: name it there"
        )
    executed.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _undisturbed():
            papermill.execute_notebook(
                str(notebook),
                str(executed),
                parameters,
                kernel_name=NATIVE_KERNEL_NAME,
                kernel_manager_class=_own_kernel(),
                progress_bar=False,
                start_timeout=START_TIMEOUT,
                execution_timeout=CELL_TIMEOUT,
            )
    except papermill.PapermillExecutionError as error:
        if error.ename == "FFCError":
            raise FFCError(f"{notebook}: {error.evalue}") from None
        reason = f"cell {error.exec_count} raised {error.ename}: {error.evalue}"
        raise FFCError(f"{notebook}: {reason}; {os.fspath(executed)} shows where") from error
    except (CellTimeoutError, DeadKernelError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise FFCError(f"{notebook}: {reason}; run it by hand to see why ({os.fspath(executed)})") from error
    write_bytes(output, executed.read_bytes())


def _own_kernel() -> type:
    """Return what manages a kernel of the interpreter that runs this, whatever kernels of that name Jupyter finds."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from traitlets import default

    class OwnKernel(AsyncKernelManager):
        @default("kernel_spec_manager")
        def _kernel_spec_manager_default(self) -> KernelSpecManager:
            return KernelSpecManager(kernel_dirs=[])  # only the native one is left

    return OwnKernel


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hide a user's start-up files, configuration, templates and backend from the notebooks that run inside."""
    with tempfile.TemporaryDirectory() as empty:
        ours = dict.fromkeys(("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"), empty)
        hidden = ("JUPYTER_PATH", "JUPYTER_CONFIG_PATH", "MPLBACKEND", "MATPLOTLIBRC", "PYTHONSTARTUP")
        before = {name: os.environ.pop(name) for name in (*ours, *hidden) if name in os.environ}
        os.environ.update(ours)
        try:
            yield
        finally:
            for name in ours:
                del os.environ[name]
            os.environ.update(before)


def notebook_page(notebook: Path, output: Path) -> None:
    """Write a notebook that has run to `output`, a page with all its pictures inside it: it asks no network."""
    need("nbconvert", extra="paper")
    from nbconvert import HTMLExporter

    with _undisturbed():
        # Other templates load MathJax and more from the net.
        exporter = HTMLExporter(
            template_name="basic", exclude_anchor_links=True, exclude_input_prompt=True, exclude_output_prompt=True
        )
        body, _ = exporter.from_filename(str(notebook))
    write_page(output, notebook.stem, body)


def write_page(path: Path, title: str, body: str) -> None:
    """Write an HTML page of the report; `body` is HTML."""
    head = f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(title)}</title><style>{STYLE}</style>"
    write_bytes(path, f"{head}\n{body}\n</html>\n".encode())
