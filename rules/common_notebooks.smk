"""What a preset's notebooks show, the files that come of them, and how the report labels these."""

# Each notebook's title in the report, its tasks, and the figures that it draws.
NOTEBOOKS = {
    "rnn_backprop": (
        "RNN backpropagation",
        ["rnn"],
        ["rnn_begin", "rnn_end", "rnn_backprop", "rnn_backprop_iter", "rnn_scaling"],
    ),
    "densenet": (
        "DenseNet inference",
        ["densenet"],
        ["densenet_outputs", "densenet_outputs_log", "densenet_iter", "densenet"],
    ),
    "made": (
        "MADE sampling",
        ["made_mnist", "made_cifar"],
        [f"made_{data}{view}" for data in ("mnist", "cifar") for view in ("", "_time_nolog", "_time_nolog_iter")],
    ),
    "pixelcnnpp": (
        "PixelCNN++ sampling",
        ["pixelcnnpp_mnist", "pixelcnnpp_cifar10"],
        [f"pixelcnnpp_{data}{view}" for data in ("mnist", "cifar10") for view in ("", "_iter")],
    ),
    "scaling": ("Sampling by size", ["scaling"], ["sampling_scaling"]),
}

# What each figure is written as; the last is for LaTeX, and no picture of the report.
FORMATS = ("png", "svg", "pdf")


def notebooks_of(preset):
    """The notebooks whose tasks a preset has, all of them."""
    return [name for name, (_, needed, _) in NOTEBOOKS.items() if set(needed) <= set(sections_of(preset))]


def sections_of(preset):
    """The sections of a preset's tasks; `scaling` goes by that of the task whose weights it takes."""
    tasks, scaling = PRESETS[preset]["tasks"], PRESETS[preset].get("scaling")
    return tasks | ({"scaling": tasks[scaling["task"]]} if scaling else {})


def records_of(preset, tasks=None):
    """The records of a preset's tasks: one for each solver, the RNN's gradient errors, and times by length or size."""
    present = PRESETS[preset]["tasks"]
    names = [(task, solver) for task in tasks or present if task in present for solver in present[task]["solvers"]]
    if ("rnn", "feedforward") in names:
        names += [("rnn", "gradients_feedforward"), ("rnn", "gradients_jacobi"), ("rnn_scaling", "scaling")]
    if "scaling" in sections_of(preset) and "scaling" in (tasks or ["scaling"]):
        names.append(("scaling", "sampling"))
    return [f"results/{preset}/records/{task}/{name}.npz" for task, name in names]


def figures_of(preset):
    figures = [figure for name in notebooks_of(preset) for figure in NOTEBOOKS[name][2]] + ["training"]
    return [f"results/{preset}/figures/{figure}.{suffix}" for figure in figures for suffix in FORMATS]


def pages_of(preset):
    """All that the report shows."""
    tables = [f"results/{preset}/summary.{suffix}" for suffix in ("md", "csv", "html")]
    notebooks = [f"results/{preset}/notebooks/{name}.html" for name in (*notebooks_of(preset), "summary")]
    return [*figures_of(preset), *tables, *notebooks]


def results_of(preset):
    notebooks = [f"results/{preset}/notebooks/{name}.ipynb" for name in (*notebooks_of(preset), "summary")]
    return [*pages_of(preset), *notebooks, f"results/{preset}/report.html"]


def records_of_tasks(tasks):
    return lambda wildcards: records_of(wildcards.preset, tasks)


def data_names(tasks):
    """The data sets' names for the captions; a figure must not say MNIST where it shows digits.

    Which of two it was is known when the weights have been looked for, later than captions are made.
    """

    def name(section):
        other = section.get("train_data", {}).get("name")
        found = boxed(section.get("weights")) if config["checkpoints"]["mode"] != "trained" else None
        first = (found or section)["data"]["name"]
        return first + (f" (of {other} where the weights were trained here)" if other else "")

    return lambda wildcards: {
        task: name(section) for task, section in sections_of(wildcards.preset).items() if task in tasks
    }


def figure_outputs(title, figures):
    return [figure_output(title, figure, suffix) for figure in figures for suffix in FORMATS]


def figure_output(title, figure, suffix):
    path = f"results/{{preset}}/figures/{figure}.{suffix}"
    if suffix == "pdf":
        return path
    caption = f"../workflow/report/{figure}.rst"
    return report(path, caption=caption, category=title, labels={"figure": figure, "format": suffix})


def notebook_page(name):
    path = f"results/{{preset}}/notebooks/{name}.html"
    return report(path, caption="../workflow/report/notebook.rst", category="Notebooks", labels={"notebook": name})


def notebook_parameters(wildcards, input, output):
    """The folders that a notebook reads and writes, where a job finds them."""
    return {"records": str(Path(input.records[0]).parents[1]), "figures": str(Path(output.figures[0]).parent)}
