"""Raw files that are not what the authors' code writes: each is named with what is wrong, and nothing in it is run."""

import io
import pickle
import re
import zipfile

import numpy as np
import plot_data
import pytest
import torch
from hostile import RunsCode, refused

from ffc.core.errors import FFCError
from ffc.paper import authors
from ffc.paper.authors import files

MADE, REPORT, LOGITS = plot_data.made("mnist", "jacobi"), plot_data.pixelcnnpp("mnist", "gs_jacobi"), plot_data.logits()
LOSS = {"loss": np.ones((2, 3)), "time": np.ones((2, 3))}
GRADIENTS = plot_data.gradients(0.5)


def pickled(content) -> bytes:
    torch.save(content, file := io.BytesIO())
    return file.getvalue()


def write(path, content):
    """Bytes, arrays, or (the header of an .npy in an .npz, what follows it)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        plot_data.save(path, content)
    else:
        with zipfile.ZipFile(path, "w") as file, file.open("images.npy", "w") as member:
            np.lib.format.write_array_header_1_0(member, {"fortran_order": False} | content[0])
            member.write(content[1])


@pytest.mark.parametrize(
    ("record", "content", "problem"),
    [
        ("made_mnist/jacobi", b"<html>quota exceeded</html>", r"no whole \.npz"),
        ("made_mnist/jacobi", MADE | {"images": MADE["images"][1:]}, "images has 16 iterates of 16 entries"),
        ("made_mnist/jacobi", MADE | {"images": MADE["images"][0]}, r"images has the shape \[3, 16\], not \[any, any"),
        ("made_mnist/jacobi", MADE | {"times": MADE["times"][1:]}, r"times has the shape \[16\], not \[17\]"),
        ("made_mnist/jacobi", MADE | {"images": np.asfortranarray(MADE["images"])}, "images is no plain array"),
        ("made_mnist/jacobi", MADE | {"images": MADE["images"] + np.inf}, "not all of its numbers are finite and"),
        ("made_mnist/jacobi", ({"descr": "|O", "shape": (1,)}, pickle.dumps(RunsCode())), "images is no plain array"),
        ("made_mnist/jacobi", ({"descr": "<f4", "shape": (10**6 + 1, 10**6, 10**6)}, b""), "float32 of shape"),
        ("made_cifar/jacobi", MADE, "not of squares of 3 channels"),
        ("pixelcnnpp_mnist/jacobi_gs", REPORT, r"all_samples has the shape \[2, 16, 3, 4, 4, 1\]"),
        ("pixelcnnpp_mnist/gs_jacobi", REPORT | {"all_times": np.ones(3)}, r"all_times has the shape \[3\], not \[2\]"),
        ("pixelcnnpp_mnist/gs_jacobi", REPORT | {"all_samples": REPORT["all_samples"][:, 1:]}, "15 iterations of"),
        ("densenet/jacobi", LOGITS | {"ground_truths": LOGITS["ground_truths"][:1]}, "ground_truths has the shape"),
        ("rnn/feedforward", pickled(LOSS | {"time": RunsCode()}), "not a plain PyTorch state dict"),
        ("rnn/feedforward", {"loss": LOSS["loss"]}, "it holds loss, not loss, time"),
        ("rnn/feedforward", LOSS | {"time": np.ones((2, 2))}, r"shapes \(2, 3\) and \(2, 2\)"),
        ("rnn/feedforward", LOSS | {"loss": np.array([[1, 0.1, 0.1], [1, 1, 1]])}, "no moving average"),
        ("rnn/gradients_jacobi", GRADIENTS | {"W_o": np.ones(2)}, "not those of the same samples"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(tmp_path, monkeypatch, record, content, problem):
    monkeypatch.chdir(tmp_path)
    name = authors.RECORDS[record][0]
    write(path := tmp_path / name, content)
    expected = f"^{re.escape(str(path))}: .*{problem}.*fetch it again, or name a checkpoints.source without it"
    refused(path, lambda: authors.read(*record.split("/"), {name: path}), f"(?s){expected}")


def test_no_more_memory_is_taken_than_the_limit(tmp_path, monkeypatch):
    plot_data.save(path := tmp_path / "raw.npz", MADE)
    monkeypatch.setattr(files, "LIMIT", 100)
    with pytest.raises(FFCError, match="it asks for 136 bytes of memory at once"):
        authors.read("made_mnist", "jacobi", {"made_mnist_jacobi.npz": path})
