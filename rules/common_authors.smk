"""What the rules of the authors' results share: which of them there are, once the released files were looked for."""


def authors_figures(preset):
    """The figures that their results allow, each with the records (task/solver) that it shows.

    Nothing is looked for where a preset names no released file, or nothing released is wanted.
    """
    if config["checkpoints"]["mode"] == "trained" or not released_files(preset):
        return {}
    note = checkpoints.find_released.get(preset=preset).output[0]
    return json.loads(Path(note).read_text())["authors"]


def authors_notebooks(preset):
    """Each notebook that has any of these figures, with those that it has."""
    drawn = authors_figures(preset)
    shown = {name: [figure for figure in papers_figures_by(name) if figure in drawn] for name in NOTEBOOKS}
    return {name: figures for name, figures in shown.items() if figures}


def authors_pages(preset):
    """What the report shows of them."""
    notebooks = authors_notebooks(preset)
    figures = [f"results/{preset}/authors/figures/{name}" for name in notebooks]
    return [*figures, f"results/{preset}/overlay/figures"] if notebooks else []


def authors_wanted(wildcards):
    """The figures of a notebook, or all."""
    if "notebook" in wildcards.keys():
        figures = authors_notebooks(wildcards.preset).get(wildcards.notebook)
    else:
        figures = list(authors_figures(wildcards.preset))
    if not figures:
        raise WorkflowError(f"results/{wildcards.preset}/authors: there are no results of theirs that this shows")
    return figures


def authors_records(wildcards):
    drawn = authors_figures(wildcards.preset)
    records = sorted({record for figure in authors_wanted(wildcards) for record in drawn[figure]})
    return [f"results/{wildcards.preset}/authors/records/{record}.npz" for record in records]


def records_beside(wildcards):
    """Our records of the tasks that stand for theirs."""
    papers = {Path(record).parent.name for record in authors_records(wildcards)}
    standing = stand_ins(PRESETS[wildcards.preset]["tasks"])
    return records_of(wildcards.preset, [standing[paper] for paper in sorted(papers)])
