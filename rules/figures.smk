"""The notebooks, run by papermill: each draws the figures of its tasks; the last writes the table."""

for preset, name, notebook in [(preset, *item) for preset, shown in SHOWN.items() for item in shown.items()]:

    # A rule for each, as presets differ in what a notebook draws.
    rule:
        name:
            f"notebook_{preset}_{name}"
        input:
            records=records_of(preset, notebook.sections.values()),
            notebook=source(f"notebooks/{notebook.source}.ipynb"),
            code=code("run_notebook", notebook=notebook.source),
        output:
            notebook=f"results/{preset}/notebooks/{name}.ipynb",
            page=notebook_page(preset, name),
            figures=figure_outputs(preset, notebook.title, notebook.figures),
        log:
            log=f"logs/{preset}/notebooks/{name}.log",
            notebook=f"logs/{preset}/notebooks/{name}.ipynb",
        benchmark:
            f"benchmarks/{preset}/notebooks/{name}.tsv"
        conda:
            "../envs/notebook.yaml"
        threads: 1
        resources:
            mem_mb=2000,
            runtime=30,
        params:
            parameters=notebook_parameters(notebook),
            data=data_names(preset, notebook.sections),
            task=notebook.task,
        message:
            "Figures of {output.notebook}"
        script:
            "../workflow/scripts/run_notebook.py"


rule summary:
    input:
        records=lambda wildcards: records_of(wildcards.preset),
        notebook=source("notebooks/summary.ipynb"),
        code=code("run_notebook", notebook="summary"),
    output:
        notebook="results/{preset}/notebooks/summary.ipynb",
        page=notebook_page("{preset}", "summary"),
        markdown="results/{preset}/summary.md",
        csv=report(
            "results/{preset}/summary.csv",
            caption="../workflow/report/summary.rst",
            category="Summary",
            labels={"table": "summary", "format": "csv"},
        ),
        figures=figure_outputs("{preset}", "Training", {"training": "training"}),
    log:
        log="logs/{preset}/notebooks/summary.log",
        notebook="logs/{preset}/notebooks/summary.ipynb",
    benchmark:
        "benchmarks/{preset}/notebooks/summary.tsv"
    conda:
        "../envs/notebook.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        parameters=lambda wildcards, input, output: notebook_parameters()(wildcards, input, output)
        | {"output": str(Path(output.markdown).parent)},
        title=lambda wildcards: preset_of(wildcards, "title"),
    message:
        "Table of {output.notebook}"
    script:
        "../workflow/scripts/run_notebook.py"
