"""From a token back to the photo's pixels and the sensor's photosites, and from a pixel to the tokens that see it."""

from photosite.lightpath.ledger import Ledger, ledger
from photosite.lightpath.path import LightPath, Stage, coverage, light_path, tokens_of, unseen
from photosite.lightpath.sensor import Photosites, photosites, stored_box
from photosite.lightpath.table import Lines, TokenTable, token_table

__all__ = [
    "Ledger",
    "LightPath",
    "Lines",
    "Photosites",
    "Stage",
    "TokenTable",
    "coverage",
    "ledger",
    "light_path",
    "photosites",
    "stored_box",
    "token_table",
    "tokens_of",
    "unseen",
]
