"""The notebooks, run by papermill: each draws the figures of one experiment; the last writes the table."""

for notebook, (title, tasks, figures) in NOTEBOOKS.items():

    rule:
        name:
            f"notebook_{notebook}"
        input:
            records=records_of_tasks(tasks),
            notebook=source(f"notebooks/{notebook}.ipynb"),
            lib=library("paper/figures", "paper/workflow"),
            script=source("workflow/scripts/run_notebook.py"),
        output:
            notebook=f"results/{{preset}}/notebooks/{notebook}.ipynb",
            page=notebook_page(notebook),
            figures=figure_outputs(title, figures),
        log:
            log=f"logs/{{preset}}/notebooks/{notebook}.log",
            notebook=f"logs/{{preset}}/notebooks/{notebook}.ipynb",
        benchmark:
            f"benchmarks/{{preset}}/notebooks/{notebook}.tsv"
        conda:
            "../envs/notebook.yaml"
        threads: 1
        resources:
            mem_mb=2000,
            runtime=30,
        params:
            parameters=notebook_parameters,
            data=data_names(tasks),
        message:
            "Figures of {output.notebook}"
        script:
            "../workflow/scripts/run_notebook.py"


rule summary:
    input:
        records=lambda wildcards: records_of(wildcards.preset),
        notebook=source("notebooks/summary.ipynb"),
        lib=library("paper/figures", "paper/summary", "paper/workflow"),
        script=source("workflow/scripts/run_notebook.py"),
    output:
        notebook="results/{preset}/notebooks/summary.ipynb",
        page=notebook_page("summary"),
        markdown="results/{preset}/summary.md",
        csv=report(
            "results/{preset}/summary.csv",
            caption="../workflow/report/summary.rst",
            category="Summary",
            labels={"table": "summary", "format": "csv"},
        ),
        figures=figure_outputs("Training", ["training"]),
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
        parameters=lambda wildcards, input, output: notebook_parameters(wildcards, input, output)
        | {"output": str(Path(output.markdown).parent)},
        title=lambda wildcards: preset_of(wildcards, "title"),
    message:
        "Table of {output.notebook}"
    script:
        "../workflow/scripts/run_notebook.py"
