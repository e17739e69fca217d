"""The command line: a photo seen, a network taken apart, its tokens counted and followed; and what stands beside.

Each command imports what it needs when it runs, so that `--help` stays quick. Results go to stdout, progress and
errors to stderr. Exit codes: 0 done, 1 an error of our own, 2 bad input or usage, 130 interrupted.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence

from cyclopts import App

from photosite import __version__
from photosite.cli.dream import dream
from photosite.cli.explain import explain
from photosite.cli.explore import explore
from photosite.cli.export_numpy import export_numpy
from photosite.cli.field import field
from photosite.cli.golden import conform, golden
from photosite.cli.hierarchy import hierarchy
from photosite.cli.infer_recipe import infer_recipe
from photosite.cli.inspect import inspect
from photosite.cli.kernels import kernels
from photosite.cli.lightpath import lightpath
from photosite.cli.match import match
from photosite.cli.models import models_app
from photosite.cli.photo import STDIN
from photosite.cli.pixels import pixels
from photosite.cli.see import see
from photosite.cli.tokens import tokens
from photosite.cli.train import train
from photosite.cli.verify import verify
from photosite.cli.why import why
from photosite.errors import PhotositeError

app = App(
    name="photosite",
    help="Follow the light: from the photosite that counted a photon to the token that a language model reads.",
    version=__version__,
    result_action="return_value",
    help_format="plaintext",  # the other formats import a Markdown parser, a quarter of the time of `--help`
    suppress_keyboard_interrupt=False,  # `main` says that it was interrupted
    help_epilogue="Every command takes --debug, which shows where an error came from instead of one line.",
)
app.command(see)
app.command(explore)
app.command(pixels)
app.command(inspect)
app.command(field)
app.command(kernels)
app.command(explain)
app.command(why)
app.command(dream)
app.command(hierarchy)
app.command(verify)
app.command(infer_recipe)
app.command(export_numpy)
app.command(tokens)
app.command(lightpath)
app.command(golden)
app.command(conform)
app.command(match)
app.command(models_app)
app.command(train)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: words after the program's name; those of the process if not given.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [STDIN if word == "-" else word for word in words if word != "--debug"]
    warnings.filterwarnings("ignore", module="PIL")  # what Pillow warns of, our notes say
    try:
        return int(app(words, exit_on_error=True, print_error=True) or 0)
    except PhotositeError as error:
        if debug:
            raise
        print(f"photosite: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("photosite: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output went away
        sys.stderr.close()
        return 1
