"""Figures and tables of measured records that the repository keeps (`python -m ffc.paper.reference`), on any machine."""


rule reference:
    input:
        [reference_pages(reference) for reference in REFERENCES],
    localrule: True


# The table is beside the figures of its notebook.
use rule notebook as reference_notebook with:
    input:
        records=reference_records,
    output:
        notebook="results/reference/{reference}/notebooks/{notebook}.ipynb",
        figures=directory("results/reference/{reference}/figures/{notebook}"),
    log:
        "logs/reference/{reference}/{notebook}.log",
    benchmark:
        "benchmarks/reference/{reference}/{notebook}.tsv"
    wildcard_constraints:
        notebook=r"\w+",
    params:
        code=code("run_notebook", notebook=lambda wildcards: wildcards.notebook),
        notebook="{notebook}",
        parameters=lambda wildcards, input, output: {"records": folder_of(input.records), "figures": output.figures}
        | ({"output": output.figures} if wildcards.notebook == "summary" else {}),
