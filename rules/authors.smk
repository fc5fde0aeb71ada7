"""The authors' raw results, where the released files come with them: their figures, and theirs beside ours."""


rule authors_record:
    input:
        found="results/{preset}/checkpoints/released.json",
        code=code("authors"),
    output:
        "results/{preset}/authors/records/{task}/{solver}.npz",
    log:
        "logs/{preset}/authors/{task}/{solver}.log",
    benchmark:
        "benchmarks/{preset}/authors/{task}/{solver}.tsv"
    conda:
        "../envs/ffc.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    message:
        "The authors' {wildcards.task} by {wildcards.solver}"
    script:
        "../workflow/scripts/authors.py"


rule authors_notebook:
    input:
        authors=authors_records,
        notebook="notebooks/{notebook}.ipynb",
        code=code("run_notebook", notebook="{notebook}"),
    output:
        notebook="results/{preset}/authors/notebooks/{notebook}.ipynb",
        figures=report(
            directory("results/{preset}/authors/figures/{notebook}"),
            patterns=["{figure}.{format,png|svg}"],
            caption="../workflow/report/authors.rst",
            category="The authors' results",
            labels={"figure": "{figure}", "format": "{format}"},
        ),
    log:
        log="logs/{preset}/authors/{notebook}.log",
        notebook="logs/{preset}/authors/{notebook}.ipynb",
    benchmark:
        "benchmarks/{preset}/authors/{notebook}.tsv"
    conda:
        "../envs/notebook.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        parameters=lambda wildcards, output: {
            "records": f"results/{wildcards.preset}/authors/records",
            "figures": output.figures,
            "only": authors_wanted(wildcards),
        },
    message:
        "The authors' figures of {output.notebook}"
    script:
        "../workflow/scripts/run_notebook.py"


rule overlay:
    input:
        authors=authors_records,
        records=records_beside,
        notebook="notebooks/overlay.ipynb",
        code=code("run_notebook", notebook="overlay"),
    output:
        notebook="results/{preset}/overlay/notebooks/overlay.ipynb",
        figures=report(
            directory("results/{preset}/overlay/figures"),
            patterns=["{figure}.{format,png|svg}"],
            caption="../workflow/report/overlay.rst",
            category="Ours and the authors' results",
            labels={"figure": "{figure}", "format": "{format}"},
        ),
    log:
        log="logs/{preset}/overlay/overlay.log",
        notebook="logs/{preset}/overlay/overlay.ipynb",
    benchmark:
        "benchmarks/{preset}/overlay.tsv"
    conda:
        "../envs/notebook.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        parameters=lambda wildcards, output: {
            "records": f"results/{wildcards.preset}/records",
            "authors": f"results/{wildcards.preset}/authors/records",
            "figures": output.figures,
            "only": authors_wanted(wildcards),
        },
    message:
        "Ours and the authors' figures of {wildcards.preset}"
    script:
        "../workflow/scripts/run_notebook.py"
