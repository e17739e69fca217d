"""Class activation maps of any model, which say how they were checked, or why there is none."""

from photosite.analysis.cam.explain import METHODS, Explainer, explain
from photosite.analysis.cam.explanation import Explanation
from photosite.analysis.cam.tap import Tap, of_classes

__all__ = ["METHODS", "Explainer", "Explanation", "Tap", "explain", "of_classes"]
