"""What a preset's notebooks show, the files that come of them, and how the report labels these."""

# What each figure is written as; the last is for LaTeX, and no picture of the report.
FORMATS = ("png", "svg", "pdf")


# The notebooks of each preset.
SHOWN = {name: notebooks(preset) for name, preset in PRESETS.items()}


def sections_of(preset):
    """The sections of a preset's tasks; `scaling` goes by that of the task whose weights it takes."""
    tasks, scaling = PRESETS[preset]["tasks"], PRESETS[preset].get("scaling")
    return tasks | ({"scaling": tasks[scaling["task"]]} if scaling else {})


def records_of(preset, sections=None):
    """The records of a preset, or of some of its sections: see `records_of_task`, and times by size."""
    wanted = [section for section in sections_of(preset) if sections is None or section in sections]
    names = [name for section in wanted if section != "scaling" for name in records_of_task(preset, section)]
    names += ["scaling/sampling"] if "scaling" in wanted else []
    return [f"results/{preset}/records/{name}.npz" for name in names]


def records_of_task(preset, task):
    """One for each solver, and of backpropagation the errors of gradients and times by length."""
    settings = PRESETS[preset]["tasks"][task]
    names = [f"{task}/{solver}" for solver in settings["solvers"]]
    if experiment_of(settings) == "backpropagation":
        names += [f"{task}/gradients_feedforward", f"{task}/gradients_jacobi", f"{task}_scaling/scaling"]
    return names


def figures_of(preset):
    figures = [figure for notebook in SHOWN[preset].values() for figure in notebook.figures] + ["training"]
    return [f"results/{preset}/figures/{figure}.{suffix}" for figure in figures for suffix in FORMATS]


def pages_of(preset):
    """All that the report shows."""
    tables = [f"results/{preset}/summary.{suffix}" for suffix in ("md", "csv", "html")]
    notebooks = [f"results/{preset}/notebooks/{name}.html" for name in (*SHOWN[preset], "summary")]
    return [*figures_of(preset), *tables, *notebooks]


def results_of(preset):
    notebooks = [f"results/{preset}/notebooks/{name}.ipynb" for name in (*SHOWN[preset], "summary")]
    return [*pages_of(preset), *notebooks, f"results/{preset}/report.html"]


def data_names(preset, sections):
    """The data sets' names for the captions; a figure must not say MNIST where it shows digits.

    `sections` are those of a notebook. Which of two it was is known when the weights have been looked for, later than
    captions are made.
    """

    def name(section):
        other = section.get("train_data", {}).get("name")
        found = boxed(section.get("weights")) if config["checkpoints"]["mode"] != "trained" else None
        first = (found or section)["data"]["name"]
        return first + (f" (of {other} where the weights were trained here)" if other else "")

    return {caption: name(sections_of(preset)[section]) for caption, section in sections.items()}


def figure_outputs(preset, title, figures):
    """The files of `figures`, which are given with the names of their captions."""
    return [figure_output(preset, title, *figure, suffix) for figure in figures.items() for suffix in FORMATS]


def figure_output(preset, title, figure, caption, suffix):
    path = f"results/{preset}/figures/{figure}.{suffix}"
    if suffix == "pdf":
        return path
    caption = f"../workflow/report/{caption}.rst"
    return report(path, caption=caption, category=title, labels={"figure": figure, "format": suffix})


def notebook_page(preset, name):
    path = f"results/{preset}/notebooks/{name}.html"
    return report(path, caption="../workflow/report/notebook.rst", category="Notebooks", labels={"notebook": name})


def notebook_parameters(notebook=None):
    """What a notebook is told: the folders that it reads and writes, where a job finds them, and what to draw."""

    def parameters(wildcards, input, output):
        folders = {"records": str(Path(input.records[0]).parents[1]), "figures": str(Path(output.figures[0]).parent)}
        return folders | narrowed(notebook)

    return parameters


def narrowed(notebook):
    """The task that a notebook is about, or what it draws where that is less than it could."""
    if notebook is None:
        return {}
    if notebook.task:
        return {"task": notebook.task}
    whole = papers_figures_by(notebook.source)
    return {} if [*notebook.figures] == whole else {"only": [*notebook.figures]}


def papers_figures_by(notebook):
    """All figures that one of the paper's notebooks can draw."""
    papers = [(name, paper) for name, paper in PAPER.items() if paper.notebook == notebook]
    return [name + view for name, paper in papers for view in paper.views] or ["sampling_scaling"]
