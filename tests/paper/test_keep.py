"""Small records are kept beside those that they were made of, never in their place."""

import pytest

from ffc.core.errors import FFCError
from ffc.paper.reference import keep
from ffc.store.records import Record


def test_records_are_not_replaced_by_their_own_small_form(tmp_path):
    results = tmp_path / "abacus" / "quick"
    path = results / "records" / "made" / "jacobi.npz"
    Record({}, {"device": {"name": "Abacus"}}).save(path)
    with pytest.raises(FFCError, match=r"holds the records that are to be copied.*name another folder"):
        keep(results, tmp_path)
    assert path.exists()
