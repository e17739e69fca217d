"""`photosite golden` and `photosite conform`: vectors for runtimes in other languages, and where one diverges."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def golden(front_end: str, folder: Path, /) -> int:
    """Write what a front end makes of three small pictures, stage by stage, for another runtime to check itself.

    Args:
        front_end: a name of `photosite tokens`.
        folder: where manifest.json and one file for each array go.
    """
    from photosite.cli.photo import printable
    from photosite.tokens import front_end as find
    from photosite.tokens.golden import write_golden

    files = write_golden(find(front_end), folder)
    print(f"{len(files)} files: {printable(folder)}")
    return 0


def conform(front_end: str, dump: Path, /, *, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Compare what another runtime made with the golden vectors, and name the first stage that diverges.

    Exit code 1 where one does.

    Args:
        front_end: a name of `photosite tokens`.
        dump: a folder in the layout of `photosite golden`.
        json: print one JSON object to stdout instead of a line.
    """
    from dataclasses import asdict

    from photosite.tokens import front_end as find
    from photosite.tokens.golden import conform as compare
    from photosite.trace.save import dumps

    one = find(front_end)
    found = compare(one, dump)
    if json:
        print(
            dumps({"front_end": one.name, "conforms": found is None, "first": None if found is None else asdict(found)})
        )
    elif found is None:
        print(f"{one.name}: all stages agree")
    else:
        most = "" if found.most is None else f", by up to {found.most:g}"
        guess = f"; it looks as if {found.said}" if found.said else "; no usual mistake fits"
        print(
            f"{one.name}: picture {found.picture} diverges in '{found.stage}': "
            f"{found.differing:,} of {found.of:,} numbers{most}{guess}"
        )
    return 0 if found is None else 1
