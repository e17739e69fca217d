"""The whole photo, small: what a page shows while the photo itself is on its way."""

from __future__ import annotations

from photosite.explorer.api import photo_words
from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.workspace import Workspace
from photosite.prep.fast import resize


def overview(workspace: Workspace, question: Question) -> Answer:
    """The photo with its longer side at most `side`: (h, w, 3) uint8.

    Args:
        workspace: has the photo.
        question: `photo`; `side`, 16 … 4096.
    Returns:
        `picture`, and as `range` the lowest and the highest level of the photo itself.
    """
    found = workspace.photo(question.text("photo"))
    side = question.integer("side", 16, 4096, 1024)
    height, width = found.picture.shape[:2]
    longer = max(height, width)
    lowest, highest = workspace.once(
        ("range", found.key), lambda: (int(found.picture.min()), int(found.picture.max())), 64
    )
    words = {**photo_words(found), "range": [lowest, highest]}
    if longer <= side:
        return pack(words, {"picture": found.picture})
    size_hw = (max(1, round(height * side / longer)), max(1, round(width * side / longer)))
    small = workspace.once(
        ("overview", found.key, side), lambda: resize(found.picture, size_hw, "bilinear"), lambda made: made.nbytes
    )
    return pack(words, {"picture": small})
