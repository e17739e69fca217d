"""Whether a class activation map is true: the audit of it, which takes about 150 passes, with its progress."""

from __future__ import annotations

from photosite.analysis.cam.audit import audit
from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.views.activation_map import audit_words, audited_key, explained
from photosite.explorer.workspace import Workspace


def map_audit(workspace: Workspace, question: Question) -> Answer:
    """Check a class activation map.

    Args:
        workspace: keeps the result.
        question: as for `activation_map`; it is told how many of the covered pictures have been scored.
    Returns:
        `audit`: `refused`, why the map is not to be trusted, and `checks`, each with its name, its verdict (good, bad
        or unclear) and the numbers in words.
    Raises:
        RangeError, ShapeError: as for `activation_map`.
    """
    seen, explainer, one, asked = explained(workspace, question)

    def told(done: int, count: int) -> None:
        question.check()
        question.tell(done, count)

    found = workspace.once(
        audited_key(seen, one, asked), lambda: audit(explainer, seen.x, one, on_batch=told), 64 << 10
    )
    return pack({"audit": audit_words(found)})
