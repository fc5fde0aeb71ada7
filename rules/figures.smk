"""The notebooks, run by papermill: each draws the figures of its tasks; the last writes the table."""


rule notebook:
    input:
        records=lambda wildcards: records_of(wildcards.preset, notebook_of(wildcards).sections),
    output:
        notebook="results/{preset}/notebooks/{notebook}.ipynb",
        page=in_report("results/{preset}/notebooks/{notebook}.html", "notebook", "Notebooks", notebook="{notebook}"),
        figures=directory("results/{preset}/notebooks/{notebook}"),
    log:
        "logs/{preset}/notebooks/{notebook}.log",
    benchmark:
        "benchmarks/{preset}/notebooks/{notebook}.tsv"
    conda:
        "../envs/notebook.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code("run_notebook", notebook=lambda wildcards: notebook_of(wildcards).source),
        notebook=lambda wildcards: notebook_of(wildcards).source,
        parameters=lambda wildcards, input, output: {"records": folder_of(input.records), "figures": output.figures}
        | jobs.narrowed(notebook_of(wildcards)),
    message:
        "Figures of {output.notebook}"
    script:
        "../workflow/scripts/run_notebook.py"


use rule notebook as summary with:
    input:
        records=lambda wildcards: records_of(wildcards.preset),
    output:
        notebook="results/{preset}/notebooks/summary.ipynb",
        page=in_report("results/{preset}/notebooks/summary.html", "notebook", "Notebooks", notebook="summary"),
        figures=directory("results/{preset}/notebooks/summary"),
        markdown="results/{preset}/summary.md",
        csv=in_report("results/{preset}/summary.csv", "summary", "Summary", table="summary", format="csv"),
    log:
        "logs/{preset}/notebooks/summary.log",
    benchmark:
        "benchmarks/{preset}/notebooks/summary.tsv"
    params:
        code=code("run_notebook", notebook=lambda wildcards: "summary"),
        notebook="summary",
        parameters=lambda wildcards, input, output: {
            "records": folder_of(input.records),
            "figures": output.figures,
            "output": str(Path(output.markdown).parent),
        },
        title=lambda wildcards: PRESETS[wildcards.preset]["title"],
    message:
        "Table of {output.notebook}"


# A copy where it is asked for by its name: which figures a notebook draws, the preset decides.
rule figure:
    input:
        lambda wildcards: f"results/{{preset}}/notebooks/{figure_of(wildcards)[0]}",
    output:
        in_report("results/{preset}/figures/{figure}.png", "figure", figure="{figure}", format="png"),
        in_report("results/{preset}/figures/{figure}.svg", "figure", figure="{figure}", format="svg"),
        "results/{preset}/figures/{figure}.pdf",
    log:
        "logs/{preset}/figures/{figure}.log",
    localrule: True
    conda:
        "../envs/notebook.yaml"
    resources:
        mem_mb=100,
        runtime=5,
    params:
        folder=lambda wildcards, output: Path(output[0]).parent,
        caption=caption_of,
    message:
        "Figure {wildcards.figure}"
    shell:
        "cp {input}/{wildcards.figure}.* {params.folder} > {log} 2>&1"


# The table as a page of the report, and the verdict for the report's first page.
rule table:
    input:
        csv="results/{preset}/summary.csv",
        markdown="results/{preset}/summary.md",
        figures=lambda wildcards: [f for f in results_of(wildcards.preset) if f.endswith(".png")],
    output:
        page=in_report("results/{preset}/summary.html", "summary", "Summary", table="summary", format="html"),
        verdict="results/{preset}/verdict.rst",
    log:
        "logs/{preset}/table.log",
    benchmark:
        "benchmarks/{preset}/table.tsv"
    localrule: True
    conda:
        "../envs/notebook.yaml"
    resources:
        mem_mb=200,
        runtime=5,
    params:
        code=code("table"),
        title=lambda wildcards: PRESETS[wildcards.preset]["title"],
    message:
        "Table {output.page}"
    script:
        "../workflow/scripts/table.py"
