"""The experiments: each solver of each task is a job of its own."""


rule solve:
    input:
        unpack(solver_inputs),
        code=code("solve", solver_modules),
    output:
        "results/{preset}/records/{task}/{solver}.npz",
    log:
        "logs/{preset}/solve/{task}/{solver}.log",
    benchmark:
        "benchmarks/{preset}/solve/{task}/{solver}.tsv"
    wildcard_constraints:
        solver=r"(?!gradients_)\w+",
        preset="|".join(name for name in PRESETS if name not in IN_ONE_PROCESS) or "(?!)",
    priority: 1  # what needs one core alone is then left over, and runs side by side
    conda:
        "../envs/ffc.yaml"
    threads: all_cores()
    resources:
        mem_mb=memory,
        runtime=240,
        gpu=gpus,
    params:
        told=told,
    message:
        "{wildcards.task} by {wildcards.solver}"
    script:
        "../workflow/scripts/solve.py"


for jobs in together():

    # Starting a process, and compiling what solvers share, takes longer than a small task.
    rule:
        name:
            f"solve_{jobs[0].preset}_{jobs[0].task}"
        input:
            unpack(lambda wildcards, one=jobs[0]: solver_inputs(one)),
            code=lambda wildcards, one=jobs[0]: code("solve", solver_modules)(one),
        output:
            [f"results/{job.preset}/records/{job.task}/{job.solver}.npz" for job in jobs],
        log:
            f"logs/{jobs[0].preset}/solve/{jobs[0].task}.log",
        benchmark:
            f"benchmarks/{jobs[0].preset}/solve/{jobs[0].task}.tsv"
        priority: 1
        conda:
            "../envs/ffc.yaml"
        threads: all_cores()
        resources:
            mem_mb=lambda wildcards, attempt, one=jobs[0]: memory(one, attempt),
            runtime=240,
            gpu=gpus(jobs[0]),
        params:
            told=told(*jobs),
        message:
            f"{jobs[0].task} by {', '.join(job.solver for job in jobs)}"
        script:
            "../workflow/scripts/solve.py"


if config["scatter"] > 1:

    # Jobs that share a solver's timed repeats, each on a device of its own where there are several.
    use rule solve as solve_part with:
        output:
            temp("results/{preset}/records/{task}/.{solver}/{part}of{parts}.npz"),
        log:
            "logs/{preset}/solve/{task}/{solver}_{part}of{parts}.log",
        benchmark:
            "benchmarks/{preset}/solve/{task}/{solver}_{part}of{parts}.tsv"
        wildcard_constraints:
            part=r"\d+",
            parts=r"\d+",
        params:
            told=lambda wildcards: told(wildcards) | {"repeats": share_of_repeats(wildcards)},
        message:
            "{wildcards.task} by {wildcards.solver}, {wildcards.part} of {wildcards.parts}"

    rule gather:
        input:
            parts=parts_of,
            code=code("gather"),
        output:
            "results/{preset}/records/{task}/{solver}.npz",
        log:
            "logs/{preset}/solve/{task}/{solver}.log",
        benchmark:
            "benchmarks/{preset}/solve/{task}/{solver}.tsv"
        wildcard_constraints:
            task="|".join(SCATTERED),
        localrule: True
        conda:
            "../envs/ffc.yaml"
        threads: 1
        resources:
            mem_mb=2000,
            runtime=10,
        message:
            "{wildcards.task} by {wildcards.solver}, gathered"
        script:
            "../workflow/scripts/gather.py"

    ruleorder: gather > solve


rule gradients:
    input:
        trained="results/{preset}/records/{task}/feedforward.npz",
        data="results/{preset}/data/{task}.npz",
        code=code("gradients"),
    output:
        "results/{preset}/records/{task}/gradients_{solver}.npz",
    log:
        "logs/{preset}/solve/{task}/gradients_{solver}.log",
    benchmark:
        "benchmarks/{preset}/solve/{task}/gradients_{solver}.tsv"
    wildcard_constraints:
        solver="feedforward|jacobi",
    conda:
        "../envs/ffc.yaml"
    threads: 1
    resources:
        mem_mb=memory,
        runtime=60,
        gpu=gpus,
    params:
        settings=lambda wildcards: task_of(wildcards, "data", "hidden", "scale", "samples"),
        seed=lambda wildcards: preset_of(wildcards, "seed"),
    message:
        "Gradient errors of {wildcards.task} by {wildcards.solver}"
    script:
        "../workflow/scripts/gradients.py"


rule rnn_scaling:
    input:
        data="results/{preset}/data/{task}.npz",
        code=code("rnn_scaling"),
    output:
        "results/{preset}/records/{task}_scaling/scaling.npz",
    log:
        "logs/{preset}/solve/{task}_scaling.log",
    benchmark:
        "benchmarks/{preset}/solve/{task}_scaling.tsv"
    priority: 1
    conda:
        "../envs/ffc.yaml"
    threads: all_cores()
    resources:
        mem_mb=memory,
        runtime=60,
        gpu=gpus,
    params:
        settings=lambda wildcards: task_of(wildcards, "hidden", "scale", "lengths"),
        seed=lambda wildcards: preset_of(wildcards, "seed"),
        repeats=lambda wildcards: preset_of(wildcards, "repeats"),
    message:
        "Times of {wildcards.task} by length"
    script:
        "../workflow/scripts/rnn_scaling.py"


rule scaling:
    input:
        checkpoint=lambda wildcards: f"results/{{preset}}/checkpoints/{preset_of(wildcards, 'scaling')['task']}.flax",
        about=lambda wildcards: f"results/{{preset}}/checkpoints/{preset_of(wildcards, 'scaling')['task']}.json",
        code=code(
            "scaling",
            lambda wildcards: model_modules(task_at(wildcards.preset, preset_of(wildcards, "scaling")["task"])),
        ),
    output:
        "results/{preset}/records/scaling/sampling.npz",
    log:
        "logs/{preset}/solve/scaling.log",
    benchmark:
        "benchmarks/{preset}/solve/scaling.tsv"
    priority: 1
    conda:
        "../envs/ffc.yaml"
    threads: all_cores()
    resources:
        mem_mb=memory,
        runtime=120,
        gpu=gpus,
    params:
        settings=sizes_settings,
        task=lambda wildcards: preset_of(wildcards, "scaling")["task"],
        seed=lambda wildcards: preset_of(wildcards, "seed"),
        repeats=lambda wildcards: preset_of(wildcards, "repeats"),
    message:
        "Times of {params.task} by size"
    script:
        "../workflow/scripts/scaling.py"
