"""Snakemake's own report of a preset, in one HTML file."""


rule table:
    input:
        "results/{preset}/summary.csv",
        code=code("table"),
    output:
        report(
            "results/{preset}/summary.html",
            caption="../workflow/report/summary.rst",
            category="Summary",
            labels={"table": "summary", "format": "html"},
        ),
    log:
        "logs/{preset}/table.log",
    benchmark:
        "benchmarks/{preset}/table.tsv"
    localrule: True
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=200,
        runtime=5,
    params:
        title=lambda wildcards: preset_of(wildcards, "title"),
    message:
        "Table {output}"
    script:
        "../workflow/scripts/table.py"


rule report:
    input:
        pages=lambda wildcards: pages_of(wildcards.preset) + authors_pages(wildcards.preset),
        captions=[source(str(path)) for path in sorted(Path("workflow/report").glob("*.rst"))],
        code=code("report"),
    output:
        "results/{preset}/report.html",
    log:
        "logs/{preset}/report.log",
    benchmark:
        "benchmarks/{preset}/report.tsv"
    localrule: True
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        storage=storage_arguments(),
    message:
        "Report {output}"
    script:
        "../workflow/scripts/report.py"
