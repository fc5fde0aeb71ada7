"""Every figure and table of the paper: `snakemake` makes the preset `paper`, `snakemake quick` a small one."""

import os

from snakemake.utils import min_version

min_version("9.19")


# In another folder, and as a module, what is not said is that of the project's file.
if os.path.exists("config/config.yaml"):

    configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "rules/common.smk"


wildcard_constraints:
    preset="|".join(PRESETS) or "(?!)",
    task="|".join(sorted({*TASKS, *PAPER})),
    notebook="|".join(sorted({*NOTEBOOKS, *TASKS})),
    figure=r"\w+",
    reference="|".join(REFERENCES) or "(?!)",
    origin="released|trained",


rule all:
    default_target: True
    input:
        results_of(config["preset"]),
        lambda wildcards: authors_pages(config["preset"]),
    localrule: True


# Every preset is a target: `snakemake quick`, or one of your own. The name of a rule has no wildcards.
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
include: "rules/reference.smk"


# What no other rule makes: its input function says why.
rule unknown:
    input:
        refused,
    output:
        "{target}",
    wildcard_constraints:
        target=hooks.unknown_targets(PRESETS),
    localrule: True


onstart:
    for fault in FAULTS.values():
        print(f"{fault}\nWithout it, the others run.", file=sys.stderr)
    if problem := hooks.problem_of_folders():
        raise WorkflowError(problem)
    if cores_here() and not config["without_gpu"] and (problem := hooks.problem_of_gpu(UNSOLVED, PRESETS)):
        raise WorkflowError(problem)


onsuccess:
    pages = {preset: results_of(preset) for preset in PRESETS}
    said = hooks.after_success(pages, START, ROOT / "Snakefile", config)
    print(*said, f"Finished in {(time.time() - START) / 60:.1f} min.", sep="\n", flush=True)


onerror:
    print(*hooks.after_failure(log), sep="\n", flush=True)
