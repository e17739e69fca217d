"""Class activation maps of any model, which say how they were checked, or why there is none."""

from photosite.analysis.cam.explain import METHODS, Explainer, Explanation, explain
from photosite.analysis.cam.tap import Tap, of_classes

__all__ = ["METHODS", "Explainer", "Explanation", "Tap", "explain", "of_classes"]
