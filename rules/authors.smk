"""The authors' raw results, where the released files come with them: their figures, and theirs beside ours."""


rule authors_record:
    input:
        note="results/{preset}/checkpoints/released.json",
    output:
        "results/{preset}/authors/records/{task}/{solver}.npz",
    log:
        "logs/{preset}/authors/{task}/{solver}.log",
    benchmark:
        "benchmarks/{preset}/authors/{task}/{solver}.tsv"
    conda:
        "../envs/ffc.yaml"
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        code=code("authors"),
    message:
        "The authors' {wildcards.task} by {wildcards.solver}"
    script:
        "../workflow/scripts/authors.py"


use rule notebook as authors_notebook with:
    input:
        records=authors_records,
    output:
        notebook="results/{preset}/authors/notebooks/{notebook}.ipynb",
        figures=figures_in_report("results/{preset}/authors/figures/{notebook}", "The authors' results"),
    log:
        "logs/{preset}/authors/{notebook}.log",
    benchmark:
        "benchmarks/{preset}/authors/{notebook}.tsv"
    params:
        code=code("run_notebook", notebook=lambda wildcards: wildcards.notebook),
        notebook="{notebook}",
        parameters=lambda wildcards, input, output: {
            "records": folder_of(input.records),
            "figures": output.figures,
            "only": authors_wanted(wildcards),
        },
    message:
        "The authors' figures of {output.notebook}"


use rule notebook as overlay with:
    input:
        authors=authors_records,
        records=records_beside,
    output:
        notebook="results/{preset}/overlay/notebooks/overlay.ipynb",
        figures=figures_in_report("results/{preset}/overlay/figures", "Ours and the authors' results"),
    log:
        "logs/{preset}/overlay/overlay.log",
    benchmark:
        "benchmarks/{preset}/overlay.tsv"
    params:
        code=code("run_notebook", notebook=lambda wildcards: "overlay"),
        notebook="overlay",
        parameters=lambda wildcards, input, output: {
            "records": folder_of(input.records),
            "authors": folder_of(input.authors),
            "figures": output.figures,
            "only": authors_wanted(wildcards),
        },
    message:
        "Ours and the authors' figures of {wildcards.preset}"
