"""The command line `ffc`: sample from a checkpoint, compare the solvers on it, say what it is; list those in the box,
train one's own; time a preset's solvers against each other.

Heavy modules are imported where they are used, so that `--help` and a mistyped option answer at once.
"""

import os
import sys
import traceback

from ffc import __version__
from ffc.cli import DONE, ERROR, INTERRUPTED, bench, compare, models, options, sample, train
from ffc.core.devices import sentence
from ffc.core.errors import FFCError, need
from ffc.store.compiled import cache_folder, keep_compiled


def main(argv: list[str] | None = None) -> int:
    """Run `ffc` with `argv` (by default the process's own) and return its exit code."""
    for stream in (sys.stdout, sys.stderr):  # letters that a terminal lacks are written as \xd7
        if hasattr(stream, "reconfigure"):  # not a closed one, nor a stand-in of the program that calls us
            stream.reconfigure(errors="backslashreplace")
    argv = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in argv
    try:
        need("flax", "PIL", "tqdm", extra="cli")
        arguments = parser().parse_args([word for word in argv if word != "--debug"])
        if "checkpoint" in arguments:
            options.check_weights(arguments.checkpoint)
        keep_compiled(cache_folder())
        code = arguments.run(arguments)
        if sys.stdout:
            sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("ffc: interrupted; nothing was left half-written", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `ffc … | head`
        return DONE
    except Exception as error:
        if debug:
            traceback.print_exc()
        more = "" if isinstance(error, FFCError) else " (the command again with --debug shows more)"
        print(f"ffc: error: {' '.join(sentence(error).split())}{more}", file=sys.stderr)
        return ERROR
    finally:
        _drop_output()


def parser() -> options.Parser:
    """Return the parser of all commands."""
    whole = options.Parser(prog="ffc", description="Sample from autoregressive models by parallel solvers, exactly.")
    whole.add_argument("--version", action="version", version=f"ffc {__version__}")
    whole.add_argument("--debug", action="store_true", help="show the traceback of an error (anywhere on the line)")
    commands = whole.add_subparsers(title="commands", required=True)
    for module in (sample, compare, models, train, bench):
        module.add(commands)
    return whole


def _drop_output() -> None:
    """Drop what was printed and nobody takes, so that Python ends without a complaint of its own."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
