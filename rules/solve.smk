"""The experiments: each solver of each task is a job of its own."""


rule solve:
    input:
        unpack(solver_inputs),
    output:
        "results/{preset}/records/{task}/{solver}.npz",
    log:
        "logs/{preset}/solve/{task}/{solver}.log",
    benchmark:
        "benchmarks/{preset}/solve/{task}/{solver}.tsv"
    wildcard_constraints:
        solver=r"(?!gradients_)\w+",
        preset="|".join(name for name in PRESETS if not PRESETS[name].get("one_process")) or "(?!)",
    priority: 1  # what needs one core alone is then left over, and runs side by side
    conda:
        "../envs/ffc.yaml"
    threads: all_cores()
    resources:
        mem_mb=memory,
        runtime=240,
        gpu=gpus,
    params:
        code=code("solve", solver_modules),
        request=lambda wildcards: jobs.request(PRESETS[wildcards.preset], wildcards.task, wildcards.solver),
    message:
        "{wildcards.task} by {wildcards.solver}"
    script:
        "../workflow/scripts/solve.py"


# Starting a process, and compiling what solvers share, takes longer than a small task: of a preset that wants it, all
# solvers of a task are one job. A rule for each, as a wildcard does not say which solvers there are.
for one, solvers in together():

    rule:
        name:
            f"solve_{one.preset}_{one.task}"
        input:
            unpack(lambda wildcards, one=one: solver_inputs(one)),
        output:
            [f"results/{one.preset}/records/{one.task}/{solver}.npz" for solver in solvers],
        log:
            f"logs/{one.preset}/solve/{one.task}.log",
        benchmark:
            f"benchmarks/{one.preset}/solve/{one.task}.tsv"
        priority: 1
        conda:
            "../envs/ffc.yaml"
        threads: all_cores()
        resources:
            mem_mb=lambda wildcards, attempt, one=one: memory(one, attempt),
            runtime=240,
            gpu=gpus(one),
        params:
            code=lambda wildcards, one=one: code("solve", solver_modules)(one),
            request=jobs.request(PRESETS[one.preset], one.task, *solvers),
        message:
            f"{one.task} by {', '.join(solvers)}"
        script:
            "../workflow/scripts/solve.py"


# What is timed, or compared, besides whole solves: a function of an experiment measures it.
rule rnn_scaling:
    input:
        data="results/{preset}/data/{task}.npz",
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
        runtime=120,
        gpu=gpus,
    params:
        code=code("measure", lambda wildcards: ["ffc.paper.experiments.rnn_scaling"]),
        function="ffc.paper.experiments.rnn_scaling:run",
        settings=lambda wildcards: task_of(wildcards, "hidden", "scale", "lengths"),
        words=lambda wildcards: keys_of(wildcards, "seed", "repeats") | {"task": wildcards.task},
    message:
        "Times of {wildcards.task} by length"
    script:
        "../workflow/scripts/measure.py"


use rule rnn_scaling as scaling with:
    input:
        lambda wildcards: f"results/{{preset}}/checkpoints/{scaled(wildcards).task}.json",  # read with the weights
        checkpoint=lambda wildcards: f"results/{{preset}}/checkpoints/{scaled(wildcards).task}.flax",
    output:
        "results/{preset}/records/scaling/sampling.npz",
    log:
        "logs/{preset}/solve/scaling.log",
    benchmark:
        "benchmarks/{preset}/solve/scaling.tsv"
    params:
        code=code("measure", lambda wildcards: ["ffc.paper.experiments.scaling", *model_modules(scaled(wildcards))]),
        function="ffc.paper.experiments.scaling:run",
        settings=lambda wildcards: jobs.sizes(PRESETS[wildcards.preset]),
        words=lambda wildcards: keys_of(wildcards, "seed", "repeats") | {"task": scaled(wildcards).task},
    message:
        "Times of {params.words[task]} by size"


use rule rnn_scaling as gradients with:
    input:
        trained="results/{preset}/records/{task}/feedforward.npz",
        data="results/{preset}/data/{task}.npz",
    output:
        "results/{preset}/records/{task}/gradients_{solver}.npz",
    log:
        "logs/{preset}/solve/{task}/gradients_{solver}.log",
    benchmark:
        "benchmarks/{preset}/solve/{task}/gradients_{solver}.tsv"
    wildcard_constraints:
        solver="feedforward|jacobi",
    threads: 1  # nothing is timed
    params:
        code=code("measure", lambda wildcards: ["ffc.paper.experiments.rnn"]),
        function="ffc.paper.experiments.rnn:gradient_errors",
        settings=lambda wildcards: task_of(wildcards, "data", "hidden", "scale", "samples"),
        words=lambda wildcards: keys_of(wildcards, "seed") | {"task": wildcards.task, "solver": wildcards.solver},
    message:
        "Gradient errors of {wildcards.task} by {wildcards.solver}"
