"""What is counted of DenseNet's curves: true top-5 differences, the authors', and when they have settled."""

import numpy as np

from ffc.paper.experiments import densenet


def test_top5_is_not_what_the_authors_count():
    truth = np.arange(10.0)[None]
    swapped = truth[:, [1, 0, *range(2, 10)]]  # the two smallest change places: the top 5 are as they were
    reversed_ = truth[:, ::-1]
    outputs = np.stack([truth, swapped, reversed_], axis=1)
    assert densenet.top5_difference(outputs, truth).tolist() == [[0, 0, 5]]
    assert densenet.smallest5_difference(outputs, truth).tolist() == [[0, 2, 5]]


def test_settled_means_for_good():
    difference = np.array([[3, 0, 1, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]])
    assert densenet.settled(difference).tolist() == [3, 0, 4]
