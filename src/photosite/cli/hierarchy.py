"""`photosite hierarchy`: what the channels of a network answer to in your pictures, from edges to objects."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from cyclopts import Parameter

if TYPE_CHECKING:
    from rich.console import Console
    from torch import Tensor

    from photosite.analysis.depths import Depth
    from photosite.analysis.rectifiers import Rule
    from photosite.analysis.top_activations import TopActivations
    from photosite.cli.model_input import ModelInput
    from photosite.cli.picture_files import PictureFile
    from photosite.cli.picture_stream import PictureStream
    from photosite.prep.recipe import Recipe
    from photosite.trace.hierarchy import HierarchyTrace
    from photosite.trace.record_hierarchy import Measured

AT_ONCE = 16
"""Signals that are made together."""
LEAST_PER_CLASS = 10
"""A class of fewer pictures leaves a probe nothing to be tested on."""
LOOKING = "looking at pictures"
SIGNALS: dict[str, Rule] = {"deconvnet": "deconvnet", "guided": "guided backpropagation", "gradient": "gradient"}


def hierarchy(
    model: str,
    pictures: Path,
    /,
    *,
    layers: str | None = None,
    top: Annotated[int, Parameter(name=("--top", "-k"))] = 9,
    channels: int = 24,
    signal: Literal["deconvnet", "guided", "gradient", "none"] = "guided",
    measures: bool = True,
    against: str | None = None,
    state: Path | None = None,
    at_most: int | None = None,
    weights: str | None = None,
    recipe: str | None = None,
    size: int | None = None,
    batch: int = 32,
    out: Annotated[Path | None, Parameter(name=("--out", "-o"))] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Show what the channels of a network answer to, from edges to objects.

    In one pass over the pictures the strongest places of every channel are found, at several depths. Each is cut down
    to exactly what its unit sees, beside what of it drives the unit. Folders name classes, where there are any.

    Args:
        model: a name of `photosite models`, hf-hub:ORG/NAME, torchvision:NAME, timm:NAME, or package.module:function.
        pictures: a folder (with all that lies below), a zip or a file.
        layers: nodes or paths of modules, separated by commas; about six depths along the main line if not given.
        top: how many pictures for each channel.
        channels: how many of each layer are shown, those first whose pictures agree most; the numbers of all are in the
            JSON.
        signal: what the unit sends back to the picture: guided (backpropagation), deconvnet (which without max pools is
            the same for all pictures), gradient, or none.
        measures: what layers hold: orientation, class by a linear probe, likeness; trained against untrained.
        against: another model, named likewise, whose layers are compared with these.
        state: a file that is written now and then; the same command goes on from it.
        at_most: so many pictures are opened, evenly spread over all.
        weights: a file, an entry such as ResNet50_Weights.IMAGENET1K_V2, hf-hub:ORG/NAME, "default" or "random".
        recipe: how pictures become the model's input, as for `see`.
        size: side of the model's input in pixels.
        batch: how many pictures at once.
        out: a folder, to write hierarchy.html and hierarchy.json.
        json: print one JSON object to stdout instead of the table.
    """
    from rich.console import Console

    from photosite.cli.model_input import model_and_input
    from photosite.cli.picture_stream import load_kernels
    from photosite.errors import RangeError

    wants = (("--top", top), ("--channels", channels), ("--batch", batch), ("--at-most", at_most))
    for name, given_number in wants:
        if given_number is not None and given_number < 1:
            raise RangeError(f"{name} wants at least 1, got {given_number}")
    files = _files(pictures, at_most)
    progress = Console(stderr=True)
    with progress.status("building the model"):
        given = model_and_input(model, weights, recipe, size, None, 1)
    if given.recipe is None:
        raise RangeError("hierarchy: the model does not say how pictures become its input; give --recipe")
    with progress.status("reading it as a graph"):
        load_kernels(given.recipe)
        look = _look(given, layers, batch)
    run = _Run(given, given.recipe, look, files, pictures, progress)
    found = run.pass_over(top, state)
    trace = run.record(found, model, top, channels, SIGNALS.get(signal), measures, against)
    _answer(trace, out, json)
    return 0


class _Look(NamedTuple):
    """What is looked at, and how many pictures at once."""

    depths: tuple[Depth, ...]
    batch: int
    notes: list[str]


class _Run:
    """One question to one model about some pictures."""

    def __init__(
        self,
        given: ModelInput,
        recipe: Recipe,
        look: _Look,
        files: Sequence[PictureFile],
        place: Path,
        progress: Console,
    ) -> None:
        self.given, self.recipe, self.look, self.files, self.place = given, recipe, look, files, place
        self.progress = progress
        self.names = [one.name for one in look.depths]
        shape = given.x.shape
        self.input_hw = (shape[2], shape[3]) if recipe.layout == "BCHW" else (shape[1], shape[2])
        self.stream: PictureStream

    def pass_over(self, top: int, state: Path | None) -> TopActivations:
        """The pass over all pictures, or the rest of it."""
        from photosite.analysis.top_activations import pictures_seen, top_activations
        from photosite.cli.photo import printable
        from photosite.cli.picture_stream import PictureStream
        from photosite.errors import RangeError

        memory = None if state is None else state.with_name(f"{state.name}.pictures")
        seen = 0 if state is None else pictures_seen(state)
        if seen and memory is not None and not memory.exists():
            raise RangeError(f"{printable(memory)} is missing, which says what the pictures of {state} were")
        self.stream = PictureStream(self.files, self.recipe, self.input_hw, memory)
        first = max(seen - 1, 0)  # one that was seen already, so that there is always one to begin with
        inputs = self._watched(self.stream.inputs(first), LOOKING)
        try:
            head = next(inputs, None)
            if head is None:
                raise RangeError(f"hierarchy: none of {len(self.files)} pictures opens: {self.stream.left_out[0]}")
            return top_activations(
                *(self.given.model, chain([head], inputs), self.recipe, self.names, top),
                batch=self.look.batch,
                state=state,
                first=first,
            )
        except KeyboardInterrupt:
            kept = (
                "nothing is kept; with --state FILE the same command would go on"
                if state is None
                else f"{printable(state)} holds {pictures_seen(state)} pictures, and the same command goes on there"
            )
            print(f"hierarchy: interrupted; {kept}", file=sys.stderr)
            raise

    def record(
        self,
        found: TopActivations,
        model: str,
        top: int,
        channels: int,
        rule: Rule | None,
        measures: bool,
        against: str | None,
    ) -> HierarchyTrace:
        """Open the best pictures again, measure, and put everything together."""
        from photosite.analysis.backward import Backward
        from photosite.analysis.rectifiers import SWITCHING
        from photosite.analysis.top_patches import top_patches
        from photosite.cli.picture_stream import folder_labels
        from photosite.trace.record_hierarchy import Seen, layers_without_patches, record_hierarchy

        labels, why = folder_labels(self.stream.names)
        seen = Seen(self.place.name, self.stream.names, labels, self.stream.left_out)
        layers = layers_without_patches(found, self.look.depths, seen)
        measured = self._measured(model, measures, labels, why, against)
        chosen = {layer.name: [one.number for one in layer.channels[:channels] if one.open] for layer in layers}
        with self.progress.status("opening the best pictures again"):
            backward = None if rule is None else Backward(self.given.model, self._example())
            patches = top_patches(
                *(found, chosen, self.stream.pictures_again, self.recipe),
                {one.name: one.field for one in self.look.depths},
                backward,
                rule or "gradient",
            )
            trained = getattr(self.given.model, "trained", None)
            notes = [*self.look.notes]
            if trained is False:
                notes += getattr(self.given.model, "weights_notes", ())
            if rule == "deconvnet" and backward is not None and not any(n.kind in SWITCHING for n in backward.graph):
                notes.append(
                    "deconvnet: there is no max pool, so what a channel sends back is the same for all pictures"
                )
            return record_hierarchy(
                *(model, layers, patches, seen, self.input_hw, top, rule, measured, trained, notes),
            )

    def _measured(self, model: str, wanted: bool, labels: list[str], why: str, against: str | None) -> Measured:
        """What the layers hold, or why that is not known."""
        from photosite.errors import PhotositeError
        from photosite.trace.record_hierarchy import Measured

        found = Measured(missing="--no-measures was given")
        if wanted:
            try:
                found = self._by_depth(model, labels, why)
            except PhotositeError as error:  # the patches are there all the same
                found = Measured(missing=str(error))
        if against is None:
            return found
        names, alike = self._alike(against)
        return Measured(found.depth, found.missing, against, names, alike)

    def _by_depth(self, model: str, labels: list[str], why: str) -> Measured:
        """Orientation, class and likeness by depth; the untrained twin only where weights are trained."""
        from photosite.analysis.representation.depth import measure_depth
        from photosite.nets.sources import find_model
        from photosite.trace.record_hierarchy import Measured

        missing = []
        if labels:
            count, rarest = min((labels.count(one), one) for one in set(labels))
            if count < LEAST_PER_CLASS:
                labels, why = [], f"there are {count} pictures of {rarest}, fewer than {LEAST_PER_CLASS}"
        if not labels:
            missing.append(f"no probe: {why}")
        trained = getattr(self.given.model, "trained", False)
        if not trained:
            missing.append("no untrained network beside it: its own weights are not known to be trained")
        untrained = find_model(model, "random") if trained else None
        classes = sorted(set(labels))
        found = measure_depth(
            *(self.given.model, self._watched(self.stream.inputs_again(), "measuring", len(self.stream.good))),
            [classes.index(label) for label in labels] if labels else None,
            *(self.recipe, self.names),
            untrained=untrained,
            classes=classes,
            batch=self.look.batch,
        )
        return Measured(found, "; ".join(missing))

    def _alike(self, against: str) -> tuple[list[str], Any]:
        """The depths of another model, and how alike they are to those of this one."""
        from photosite.analysis.depths import main_depths
        from photosite.analysis.representation.cka import cka_between
        from photosite.cli.model_input import model_and_input
        from photosite.errors import RangeError

        other = model_and_input(against, None, None, None, None, 1)
        if other.recipe is None:
            raise RangeError(f"hierarchy: {against} does not say how pictures become its input")
        names = [one.name for one in main_depths(other.graph())]
        numbers = range(len(self.stream.good))
        pictures = (picture for _, picture in self.stream.pictures_again(numbers))
        alike = cka_between(
            *(self.given.model, self.names, other.model, names),
            *(self._watched(pictures, "comparing", len(numbers)), self.recipe, other.recipe, self.look.batch),
        )
        return names, alike

    def _example(self) -> Tensor:
        """So many inputs as signals are made of at once."""
        import torch

        x = torch.from_numpy(self.given.x[:1])
        return x.repeat(min(AT_ONCE, self.look.batch), *[1] * (x.ndim - 1))

    def _watched(self, rows: Iterator[Any], doing: str, total: int | None = None) -> Iterator[Any]:
        """The same rows, with a line on stderr that says how far it is."""
        total = len(self.files) if total is None else total
        with self.progress.status(doing) as line:
            for number, row in enumerate(rows, 1):
                yield row
                if number % self.look.batch == 0:
                    done = number if doing != LOOKING else self.stream.read_to
                    line.update(f"{doing}, {done} of {total}")


def _files(place: Path, at_most: int | None) -> list[PictureFile]:
    """The pictures by name, or so many of them, evenly spread."""
    from photosite.cli.picture_files import picture_files

    files = list(picture_files(place, "hierarchy"))
    if at_most is None or len(files) <= at_most:
        return files
    return [files[number * len(files) // at_most] for number in range(at_most)]


def _look(given: ModelInput, layers: str | None, batch: int) -> _Look:
    """What is looked at, and how many pictures at once can be: one, where tokens of several get mixed up."""
    from photosite.analysis.depths import depths_of, main_depths
    from photosite.analysis.receptive_field import ReceptiveFields
    from photosite.errors import RangeError

    graph = given.graph()
    fields = ReceptiveFields(graph)
    names = None if layers is None else [name.strip() for name in layers.split(",") if name.strip()]
    if names is not None and not names:
        raise RangeError(f"--layers wants names of nodes or modules with commas between, got {layers!r}")
    if names is not None and len(set(names)) < len(names):
        raise RangeError(f"--layers names one layer twice: {layers}")
    depths = main_depths(graph, fields=fields) if names is None else depths_of(graph, names, fields)
    together = depths_of(given.graph(batch), [one.name for one in depths]) if batch > 1 else depths
    mixed = [one.name for one, other in zip(depths, together, strict=True) if one.layout != other.layout]
    notes = []
    if mixed:
        notes.append(
            f"one picture at a time: of {batch} together it is not known which places {mixed[0]} and "
            f"{len(mixed) - 1} more belong to"
        )
    return _Look(depths, 1 if mixed else batch, notes)


def _answer(trace: HierarchyTrace, out: Path | None, json: bool) -> None:
    """Write the page, and print what was found."""
    from rich.console import Console

    from photosite.cli.photo import answer, print_lines, write_page
    from photosite.report.hierarchy import render
    from photosite.trace.hierarchy import hierarchy_lines
    from photosite.trace.hierarchy_json import to_json
    from photosite.trace.save import dumps

    for line in trace.left_out:
        print(f"left out: {line}", file=sys.stderr)
    data = to_json(trace)
    written = "" if out is None else write_page(out, "hierarchy", render(trace), dumps(data))
    console = Console() if sys.stdout.isatty() else Console(width=140)
    answer(data, lambda: print_lines(hierarchy_lines(trace), console), json, written)
