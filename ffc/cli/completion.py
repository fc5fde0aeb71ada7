"""What a shell must know to complete a command line when Tab is pressed."""

import argparse

import shtab

from ffc.store.paths import expanded


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the program for `shell` (bash, zsh, tcsh) that completes commands, options, choices and file names."""
    _mark_files(parser)
    return shtab.complete(parser, shell=shell)


def _mark_files(parser: argparse.ArgumentParser) -> None:
    for action in parser._actions:
        if action.type is expanded:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        for child in action.choices.values() if isinstance(action, argparse._SubParsersAction) else ():
            _mark_files(child)
