"""What the rules of kept records share: which there are, and what can be drawn of them."""

# Measured records that the repository keeps, as <device>/<preset>.
REFERENCES = [
    str(path.parent.relative_to("results/reference")) for path in Path("results/reference").glob("*/*/records")
]


def reference_records(wildcards):
    return sorted(map(str, Path(f"results/reference/{wildcards.reference}/records").glob("*/*.npz")))


def reference_pages(reference):
    """All that can be drawn again of the records of one preset on one device."""
    tasks = {path.parent.name for path in Path(f"results/reference/{reference}/records").glob("*/*.npz")}
    needed = {paper.notebook for name, paper in PAPER.items() if name in tasks} | ({"scaling"} & tasks)
    folder = f"results/reference/{reference}"
    return [f"{folder}/notebooks/{name}.ipynb" for name in (*sorted(needed), "summary")]
