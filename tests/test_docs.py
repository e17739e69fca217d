"""Pages that are made from the code are what the code would make now."""

from __future__ import annotations

from pathlib import Path

from photosite.cli import app

ROOT = Path(__file__).resolve().parent.parent


def test_the_page_of_commands_is_the_programs_own_help() -> None:
    written = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert written.rstrip() == app.generate_docs(output_format="markdown").rstrip(), "run `make map`"
