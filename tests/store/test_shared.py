"""PyTorch's files whose tensors share what they hold: read where that is sound, refused where it is a bomb."""

import numpy as np
import pytest
import torch

from ffc.core.errors import FFCError
from ffc.store.pytorch import SHARED, read_tensors


def saved(tmp_path, state):
    torch.save(state, tmp_path / "model.pth")
    return (tmp_path / "model.pth").read_bytes()


def test_layers_that_share_their_weights_are_read(tmp_path):
    weight = torch.arange(4096.0).reshape(64, 64)
    tensors = read_tensors(saved(tmp_path, {"a": weight, "b": weight, "turned": weight.t(), "part": weight[3:5]}))
    for name, expected in {"a": weight, "b": weight, "turned": weight.t(), "part": weight[3:5]}.items():
        np.testing.assert_array_equal(tensors[name], expected)


def test_a_file_does_not_unfold_to_any_size(tmp_path):
    content = saved(tmp_path, {f"layer{i}": torch.zeros(1).expand(10**4) for i in range(SHARED)})
    with pytest.raises(FFCError, match="claim to be larger than the file"):
        read_tensors(content)
