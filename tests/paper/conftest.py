"""Made-up records of every task, in a folder as the workflow has it; tests read it alone."""

import pytest
import synthetic


@pytest.fixture(scope="session")
def made_up(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project") / "tiny" / "records"
    synthetic.write(folder)
    return folder
