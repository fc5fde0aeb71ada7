"""What records and figures say of weights that were found: their data, and where they come from."""

from ffc.paper.experiments import Job
from ffc.paper.figures import style


def test_without_data_the_record_names_those_of_the_weights():
    about = {"origin": "box", "name": "tiny", "data": {"name": "small", "title": "small noise", "licence": "free"}}
    about["metrics"] = {"steps": 3, "test_loss": 1.25, "unit": "bits/dim"}
    record = Job("made_mnist", {"solvers": {"jacobi": {}}}, "jacobi", 0, 1).record({}, checkpoint=about)
    assert record.meta["data"] == {"name": "small", "title": "small noise"}
    assert style.sources([record], ("Data", "Weights")) == [
        "Data: small noise",
        "Weights: tiny in the box (3 steps, 1.25 bits/dim)",
    ]
