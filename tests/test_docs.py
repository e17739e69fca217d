"""Pages that are made from the code are what the code would make now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_the_page_of_commands_is_the_programs_own_help() -> None:
    # in a process of its own, as `make map` does it: the help shows how the program was started
    code = "from photosite.cli import app; print(app.generate_docs(output_format='markdown'))"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    written = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert written.rstrip() == made.rstrip(), "run `make map`"
