"""Turns a question of the page into an answer: knows photos, models and views, and no socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from photosite import __version__
from photosite.errors import PhotositeError, UnknownNameError
from photosite.explorer.jobs import CancelledError
from photosite.explorer.message import Answer, Question, pack, refusal
from photosite.explorer.workspace import Model, Photo, Workspace

View = Callable[[Workspace, Question], Answer]


def about(workspace: Workspace, question: Question) -> Answer:
    """What there is to look at."""
    return pack(
        {
            "version": __version__,
            "photos": [photo_words(one) for one in workspace.photos()],
            "models": [model_words(one) for one in workspace.models()],
            "names": list(workspace.names),
            "collection": len(workspace.collection),
        }
    )


def upload(workspace: Workspace, question: Question) -> Answer:
    """Open a photo that was dragged onto the page."""
    photo = workspace.add_photo(question.body, question.text("title", "a photo"))
    return pack(photo_words(photo))


def photo(workspace: Workspace, question: Question) -> Answer:
    """The pixels of a photo, (H, W, 3) uint8."""
    found = workspace.photo(question.text("photo"))
    return pack(photo_words(found), {"picture": found.picture})


def build(workspace: Workspace, question: Question) -> Answer:
    """Build a model by one of the names in `about`."""
    return pack(model_words(workspace.build(question.text("name"))))


def photo_words(one: Photo) -> dict[str, object]:
    """What a page is told of a photo."""
    return {"key": one.key, "title": one.title, "size_hw": list(one.picture.shape[:2])}


def model_words(one: Model) -> dict[str, object]:
    """What a page is told of a model."""
    recipe = one.recipe
    return {
        "key": one.key,
        "name": one.name,
        "classes": list(one.classes),
        "notes": list(one.notes),
        "recipe": None if recipe is None else recipe.name,
        "input_hw": None if recipe is None or recipe.input_hw is None else list(recipe.input_hw),
    }


class Api:
    """Answers every question, with an error where it must.

    Args:
        workspace: what there is to look at.
        views: by name.
    """

    def __init__(self, workspace: Workspace, views: Mapping[str, View]) -> None:
        self.workspace = workspace
        self.views: dict[str, View] = {"about": about, "upload": upload, "photo": photo, "build": build, **views}

    def __call__(self, question: Question) -> Answer:
        """Answer; never raises but `CancelledError`.

        Args:
            question: of the page.
        """
        view = self.views.get(question.name)
        if view is None:
            return refusal(404, f"there is no {question.name[:40]!r}")
        try:
            return view(self.workspace, question)
        except CancelledError:
            raise
        except UnknownNameError as error:
            return refusal(404, str(error))
        except PhotositeError as error:
            return refusal(400, str(error))
        except Exception as error:  # a page must never hang for want of an answer, and never show a traceback
            return refusal(500, f"{question.name}: {type(error).__name__}: {error}")
