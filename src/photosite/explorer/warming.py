"""What reading a model as a graph takes, imported while the user looks at the first photo."""

from __future__ import annotations

import sys
import threading

import torch
from torch import nn

from photosite.explorer.api import View
from photosite.explorer.message import Answer, Question
from photosite.explorer.workspace import Workspace
from photosite.graph.capture import capture

PAUSE = 1.0
"""Seconds behind an answer, for the page to show it and to ask for the photo's pixels."""


class Warming:
    """A view behind whose first answer torch's exporter is imported, once, in a thread of its own.

    It takes over a second, and a model cannot be read without it.

    Args:
        view: that answers.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._timer: threading.Timer | None = None

    def __call__(self, workspace: Workspace, question: Question) -> Answer:
        """Answer as the view does."""
        found = self._view(workspace, question)
        if self._timer is None and workspace.models() and "torch._dynamo" not in sys.modules:
            self._timer = threading.Timer(PAUSE, capture, (nn.Identity(), torch.zeros(1)))
            self._timer.name = "photosite warms up"
            self._timer.daemon = True
            self._timer.start()
        return found

    def stop(self) -> None:
        """Do not begin."""
        if self._timer is not None:
            self._timer.cancel()
