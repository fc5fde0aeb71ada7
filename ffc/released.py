"""Released checkpoints: the authors' archive and torchvision's DenseNet-201, found by file name."""

import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ffc.errors import FFCError
from ffc.records import write_whole

#: Google Drive id of the authors' archive.
ARCHIVE_ID = "1cxV3pKUmLETt9veWRnEKt3SBCb-6sZDc"
#: DenseNet-201's ImageNet weights, as torchvision names the file.
DENSENET = "densenet201-c1103571.pth"


def collect(files: Iterable[str], folder: Path, given: str | None = None, insist: bool = False) -> dict[str, Any]:
    """Where each of `files` is: `{"files": {name: path}, "missing": {name: reason}}`.

    They are looked for in `given`, a folder or an archive, and are otherwise downloaded to `folder`. Raises
    `FFCError` where `given` does not exist, and, with `insist`, where a file could not be had.
    """
    found: dict[str, str] = {}
    missing: dict[str, str] = {}
    wanted = sorted(set(files))
    if given is not None:
        found = {name: str(path) for name, path in _local(wanted, Path(given), folder).items()}
        missing = {name: f"not in {given}" for name in wanted if name not in found}
    else:
        authors = [name for name in wanted if name != DENSENET]
        for names, download in ((authors, _authors_archive), ([DENSENET], _densenet)):
            if not set(names) & set(wanted):
                continue
            try:
                found |= {name: str(path) for name, path in download(names, folder).items()}
                reason = "not in the authors' archive"
            except Exception as error:  # a network fails in many ways; all of them mean: not to be had
                reason = f"could not be downloaded ({' '.join(str(error).split())[:300]})"
            missing |= {name: reason for name in names if name not in found}
    for name, reason in missing.items():
        print(f"{name}: {reason}")
    if missing and insist:
        reasons = "; ".join(f"{name} {reason}" for name, reason in missing.items())
        raise FFCError(
            f"checkpoints.mode is `released`, but {reasons}: put the files into a folder and name it as "
            "checkpoints.folder in config/config.yaml, or set the mode to auto or trained"
        )
    return {"files": found, "missing": missing}


def _local(wanted: list[str], given: Path, folder: Path) -> dict[str, Path]:
    if given.is_dir():
        present = {path.name: path for path in sorted(given.rglob("*"), reverse=True) if path.is_file()}
        return {name: present[name] for name in wanted if name in present}
    if given.is_file():
        return extract(given, wanted, folder)
    raise FFCError(f"checkpoints.folder: {given} does not exist; name a folder or an archive, or null")


def extract(archive: Path, wanted: list[str], folder: Path) -> dict[str, Path]:
    """Copy the members called `wanted`, wherever they lie in a zip or tar archive, into `folder`.

    A member's own path is never used, and only plain files are read. Raises `FFCError` on a broken archive.
    """
    paths: dict[str, Path] = {}
    try:
        for name, stream in _members(archive):
            if name in wanted and name not in paths:
                content = stream.read()
                paths[name] = folder / name
                write_whole(paths[name], lambda file, content=content: file.write(content))
    except FFCError:
        raise
    except Exception as error:  # zipfile, tarfile, zlib and lzma raise types of their own
        raise FFCError(f"{archive}: not a whole archive ({error}); fetch it again") from error
    return paths


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """(file name, stream) of every plain file in an archive."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            for info in file.infolist():
                if not info.is_dir():
                    with file.open(info) as stream:
                        yield PurePosixPath(info.filename).name, stream
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as file:
            for member in file:
                if member.isreg():
                    yield PurePosixPath(member.name).name, file.extractfile(member)
    else:
        raise FFCError(f"{archive}: neither a zip nor a tar archive; fetch it again")


def _authors_archive(wanted: list[str], folder: Path) -> dict[str, Path]:
    import gdown

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        archive = Path(gdown.download(id=ARCHIVE_ID, output=f"{temporary}/archive", quiet=True))
        return extract(archive, wanted, folder)


def _densenet(wanted: list[str], folder: Path) -> dict[str, Path]:
    from torch.hub import load_state_dict_from_url
    from torchvision.models import DenseNet201_Weights

    url = DenseNet201_Weights.IMAGENET1K_V1.url
    load_state_dict_from_url(url, str(folder), progress=False, check_hash=True, weights_only=True)
    return {DENSENET: folder / url.rpartition("/")[2]}
