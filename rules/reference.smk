"""Figures and tables of measured records that the repository keeps (`ffc keep`), on any machine."""


rule reference:
    input:
        [reference_pages(reference) for reference in REFERENCES],
    localrule: True


rule reference_notebook:
    input:
        records=reference_records,
        notebook="notebooks/{notebook}.ipynb",
        code=code("run_notebook", notebook="{notebook}"),
    output:
        notebook="results/reference/{reference}/notebooks/{notebook}.ipynb",
        figures=directory("results/reference/{reference}/figures/{notebook}"),
    log:
        log="logs/reference/{reference}/{notebook}.log",
        notebook="logs/reference/{reference}/{notebook}.ipynb",
    benchmark:
        "benchmarks/reference/{reference}/{notebook}.tsv"
    conda:
        "../envs/notebook.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        parameters=lambda wildcards, output: {
            "records": f"results/reference/{wildcards.reference}/records",
            "figures": output.figures,
        },
    message:
        "Figures of {output.notebook}"
    script:
        "../workflow/scripts/run_notebook.py"


rule reference_summary:
    input:
        records=reference_records,
        notebook="notebooks/summary.ipynb",
        code=code("run_notebook", notebook="summary"),
    output:
        notebook="results/reference/{reference}/notebooks/summary.ipynb",
        tables=directory("results/reference/{reference}/summary"),
        figures=directory("results/reference/{reference}/figures/summary"),
    log:
        log="logs/reference/{reference}/summary.log",
        notebook="logs/reference/{reference}/summary.ipynb",
    benchmark:
        "benchmarks/reference/{reference}/summary.tsv"
    conda:
        "../envs/notebook.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        parameters=lambda wildcards, output: {
            "records": f"results/reference/{wildcards.reference}/records",
            "figures": output.figures,
            "output": output.tables,
        },
    message:
        "Table of {output.notebook}"
    script:
        "../workflow/scripts/run_notebook.py"
