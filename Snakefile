"""Every figure and table of the paper: `snakemake` makes the preset `paper`, `snakemake quick` a small one."""

import os

from snakemake.utils import min_version

min_version("9.19")


configfile: "config/config.yaml"


# While a report is written, that with the run's verdict on top (workflow/scripts/report.py).
report: os.environ.get("FFC_FIRST_PAGE", "workflow/report/workflow.rst")


include: "rules/common.smk"
include: "rules/common_solve.smk"
include: "rules/common_notebooks.smk"
include: "rules/common_authors.smk"
include: "rules/common_reference.smk"
include: "rules/common_scatter.smk"


wildcard_constraints:
    preset="|".join(PRESETS),
    task="|".join(sorted({*TASKS, *PAPER})),
    notebook="|".join(NOTEBOOKS),
    reference="|".join(REFERENCES) or "(?!)",
    origin="released|trained",


rule all:
    default_target: True
    input:
        results_of(config["preset"]),
        lambda wildcards: authors_pages(config["preset"]),
    localrule: True


# Every file in config/presets is a target: `snakemake quick`, or one of your own.
for name in PRESETS:

    rule:
        name:
            name
        input:
            results_of(name),
            lambda wildcards, name=name: authors_pages(name),
        localrule: True


include: "rules/data.smk"
include: "rules/checkpoints.smk"
include: "rules/train.smk"
include: "rules/solve.smk"
include: "rules/figures.smk"
include: "rules/authors.smk"
include: "rules/bench.smk"
include: "rules/reference.smk"
include: "rules/report.smk"


named = [rule.name for rule in workflow.rules if not rule.has_wildcards()]
if problem := targets.problem_of(TARGETS, named) or targets.problem_of_records(TARGETS, PRESETS):
    raise WorkflowError(problem)


onstart:
    require_writable()
    require_gpu()


onsuccess:
    clear_progress()
    print(*verdicts(), *logs_of(log), f"Finished in {elapsed()}.", *new_reports(), sep="\n", flush=True)


onerror:
    clear_progress()
    print(*after_failure(log), *logs_of(log), sep="\n", flush=True)
