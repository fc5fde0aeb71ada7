"""Text as a data set: the documentation that scikit-learn ships, which is there wherever scikit-learn is."""

import inspect
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ffc.core.errors import FFCError, need
from ffc.data.dataset import Dataset

#: Bytes of a window by default, and files of which one is for testing.
LENGTH, TEST_EVERY = 128, 5
_ELSEWHERE = {"tests", "externals"}  # folders whose files are not its documentation
_DOCSTRING = re.compile(r'"""(.*?)"""', re.DOTALL)
_SHORTEST = 200  # characters of a docstring that says more than one thing


def text(root: Path, size: int | None) -> Dataset:
    """Windows of `size` bytes (128 by default) of scikit-learn's docstrings and data descriptions; needs no files.

    A window is an "image" [1, size, 1] of ASCII: characters beyond it are replaced by "?". Every fifth file is for
    testing. Training windows lie half a window apart, test windows side by side. The text is that of the installed
    version.
    """
    need("sklearn", extra="training")
    import sklearn

    size = size or LENGTH
    files = [content for content in _documents(Path(sklearn.__file__).parent) if len(content) >= size]
    parts = [files[i] for i in np.random.default_rng(0).permutation(len(files))]
    test, train = parts[::TEST_EVERY], [part for i, part in enumerate(parts) if i % TEST_EVERY]
    if not test or not train:
        raise FFCError(f"data set 'text', size: no file of it has {size} bytes; give a smaller size, {LENGTH} say")
    windows = [_windows(test, size, size), _windows(train, size, max(1, size // 2))]
    title = f"scikit-learn {version('scikit-learn')}'s documentation, {size} bytes"
    return Dataset("text", title, windows[1], windows[0])


def _windows(files: list[bytes], size: int, stride: int) -> np.ndarray:
    """[count, 1, size, 1] uint8, in a fixed shuffle; no window crosses the end of a file."""
    views = [np.lib.stride_tricks.sliding_window_view(np.frombuffer(file, np.uint8), size)[::stride] for file in files]
    windows = np.concatenate(views)
    return windows[np.random.default_rng(0).permutation(len(windows))][:, None, :, None]


def _documents(package: Path) -> Iterator[bytes]:
    """Yield the documentation in each file of a package, in the order of their paths."""
    for path in sorted(package.rglob("*.rst")):
        if path.parent.name == "descr":
            yield _ascii(path.read_text("utf-8"))
    for path in sorted(package.rglob("*.py")):
        if not _ELSEWHERE & set(path.relative_to(package).parts):
            docstrings = map(inspect.cleandoc, _DOCSTRING.findall(path.read_text("utf-8")))
            yield _ascii("\n\n".join(text for text in docstrings if len(text) >= _SHORTEST))


def _ascii(text: str) -> bytes:
    return text.encode("ascii", "replace")
