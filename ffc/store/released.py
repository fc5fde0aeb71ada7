"""Released files: the authors' archive and torchvision's DenseNet-201, found by the ends of their paths."""

import hashlib
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, Any

from ffc.core.errors import FFCError, need
from ffc.store.archives import open_tar, plain_files
from ffc.store.paths import expanded
from ffc.store.records import write_whole

#: Google Drive id of the authors' archive.
ARCHIVE_ID = "1cxV3pKUmLETt9veWRnEKt3SBCb-6sZDc"
#: DenseNet-201's ImageNet weights, as torchvision names the file.
DENSENET = "densenet201-c1103571.pth"
#: Seconds to wait after each failed download before the next.
PAUSES = (1.0, 4.0)
#: Bytes that a member may unfold to; the largest that the authors released has four billion.
LIMIT = 2**34
_CHUNK = 2**16  # bytes; a member of several gigabytes goes to disk in pieces


def collect(
    files: Iterable[str],
    folder: Path,
    source: str | None = None,
    sha256: str | None = None,
    insist: bool = False,
    extra: Iterable[str] = (),
) -> dict[str, Any]:
    """Where each of `files` is: `{"files": {name: path}, "missing": {name: reason}, "extra": …, "archive": …}`.

    A name is the end of a path: `mnist.flax`, `mnist_jacobi/report.npz`. Files are looked for in `source`: a
    folder, an archive, or the https address of one; without a source, in the authors' archive, which is
    downloaded. What is downloaded or unpacked lies in `folder`; `archive` says what was opened, with its
    SHA-256. DenseNet-201 comes from torchvision unless the source holds it. `extra` files are looked for in
    the same place: `{name: path}` of those that are there.
    Raises `FFCError` if a local source cannot be used, if the archive is not the one of `sha256`, and,
    with `insist`, if one of `files` could not be had.
    """
    wanted, along = sorted(set(files)), sorted(set(extra))
    paths, archive, reason = _from_source(wanted, along, folder, source, sha256)
    taken = {name: str(paths.pop(name)) for name in along if name in paths}
    missing = {name: reason for name in wanted if name not in paths}
    if DENSENET in missing:
        try:
            paths |= _densenet(folder)
            del missing[DENSENET]
        except Exception as error:  # a network fails in many ways; all of them mean: not to be had
            missing[DENSENET] = f"{missing[DENSENET]}, and could not be downloaded ({_line(error)})"
    for name, why in missing.items():
        print(f"{name}: {why}")
    if missing and insist:
        reasons = "; ".join(f"{name} {why}" for name, why in missing.items())
        raise FFCError(
            f"checkpoints.mode is `released`, but {reasons}: put the files into a folder and name it as "
            "checkpoints.source in config/config.yaml, or set the mode to auto or trained"
        )
    files = {name: str(path) for name, path in paths.items()}
    return {"files": files, "missing": missing, "extra": taken, "archive": archive}


def _from_source(
    wanted: list[str], along: list[str], folder: Path, source: str | None, sha256: str | None
) -> tuple[dict[str, Path], dict[str, str] | None, str]:
    """(files found, the archive that was opened, why others were not found)."""
    if not set(wanted) - {DENSENET} and source is None:
        return {}, None, "not in the authors' archive"
    wanted = [*wanted, *along]
    if source is not None and not _is_address(source):
        return *_local(wanted, expanded(source), folder, sha256), f"not in {source}"
    place = source or "the authors' archive"
    try:
        with _downloaded(source, folder) as archive:
            opened = _identified(archive, place, sha256)
            return extract(archive, wanted, folder), opened, f"not in {place}"
    except _Mismatch:
        raise
    except Exception as error:  # a network fails in many ways; all of them mean: not to be had
        return {}, None, f"could not be had from {place} ({_line(error)})"


def _local(
    wanted: list[str], source: Path, folder: Path, sha256: str | None
) -> tuple[dict[str, Path], dict[str, str] | None]:
    if source.is_dir():
        paths = [path for path in sorted(source.rglob("*"), reverse=True) if path.is_file()]
        return {name: path for path in paths if (name := _asked(path, wanted))}, None
    if source.is_file():
        opened = _identified(source, str(source), sha256)
        return extract(source, wanted, folder), opened
    raise FFCError(f"checkpoints.source: {source} does not exist; name a folder, an archive or its address, or null")


class _Mismatch(FFCError):
    """An archive that is not the one asked for: no reason to train instead."""


def _identified(archive: Path, place: str, sha256: str | None) -> dict[str, str]:
    with open(archive, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 is not None and digest != sha256.lower():
        raise _Mismatch(
            f"checkpoints.sha256: {place} has the SHA-256 {digest}, not {sha256}: fetch the right one, or correct this"
        )
    return {"source": place, "sha256": digest}


def extract(archive: Path, wanted: list[str], folder: Path) -> dict[str, Path]:
    """Copy the members whose paths end in a name of `wanted`, from a zip or tar archive, into `folder`.

    They are written under that name: a member's own path is never used, and only plain files are read, in
    pieces. Raises `FFCError` on a broken archive, and leaves nothing of it.
    """
    paths: dict[str, Path] = {}
    try:
        with _whole(archive):
            for path, stream in _members(archive):
                name = _asked(path, wanted)
                if name and name not in paths:
                    write_whole(folder / name, partial(_copy, archive, stream))
                    paths[name] = folder / name
    except BaseException:  # what is broken may show at its end alone
        for path in paths.values():
            path.unlink()
        raise
    return paths


def _asked(path: PurePath, wanted: list[str]) -> str | None:
    """Return the name of `wanted` that `path` ends in."""
    return next((name for name in wanted if path.parts[-1 - name.count("/") :] == tuple(name.split("/"))), None)


def _copy(archive: Path, stream: IO[bytes], file: IO[bytes]) -> None:
    """All of `stream` into `file`; what goes wrong in reading is the archive's fault, not the disk's."""
    while True:
        with _whole(archive):
            chunk = stream.read(_CHUNK)
            if file.tell() + len(chunk) > LIMIT:
                raise ValueError(f"a file in it unfolds to more than {LIMIT:,} bytes")
        if not chunk:
            return
        file.write(chunk)


@contextmanager
def _whole(archive: Path) -> Iterator[None]:
    try:
        yield
    except FFCError:
        raise
    except Exception as error:  # zipfile, tarfile, zlib and lzma raise types of their own
        raise FFCError(f"{archive}: not a whole archive ({error}); fetch it again") from error


def _members(archive: Path) -> Iterator[tuple[PurePath, IO[bytes]]]:
    """(path, stream) of every plain file in an archive."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            for info in file.infolist():
                if info.compress_type == zipfile.ZIP_LZMA:
                    raise ValueError("packed by LZMA, which takes as much memory as it likes")
                if not info.is_dir():
                    with file.open(info) as stream:
                        yield PurePosixPath(info.filename), stream
        return
    with _tar(archive) as tar:
        for member, stream in plain_files(tar):
            yield PurePosixPath(member.name), stream


def _tar(archive: Path) -> tarfile.TarFile:
    try:
        return open_tar(archive)
    except tarfile.TarError:
        raise FFCError(f"{archive}: neither a zip nor a tar archive; fetch it again") from None


@contextmanager
def _downloaded(address: str | None, folder: Path) -> Iterator[Path]:
    """Hold the archive at an address, or the authors' own, while it is needed."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        target = str(Path(temporary) / "archive")
        _persistently(lambda: _fetch(address, target))
        yield Path(target)


def _fetch(address: str | None, target: str) -> None:
    if address is None:
        need("gdown", extra="paper")
        import gdown

        gdown.download(id=ARCHIVE_ID, output=target, quiet=True)
    else:
        need("torch", extra="paper")
        from torch.hub import download_url_to_file

        download_url_to_file(address, target, progress=False)


def _persistently(action: Callable[[], None]) -> None:
    """Networks fail for moments: try again after each of `PAUSES`."""
    for pause in PAUSES:
        try:
            return action()
        except Exception as error:
            print(f"{_line(error)}; trying again in {pause} s")
            time.sleep(pause)
    return action()


def _densenet(folder: Path) -> dict[str, Path]:
    need("torch", "torchvision", extra="paper")
    from torch.hub import load_state_dict_from_url
    from torchvision.models import DenseNet201_Weights

    url = DenseNet201_Weights.IMAGENET1K_V1.url
    load_state_dict_from_url(url, str(folder), progress=False, check_hash=True, weights_only=True)
    return {DENSENET: folder / url.rpartition("/")[2]}


def _is_address(source: str) -> bool:
    return source.startswith(("https://", "http://"))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
