"""Any Pillow mode to RGB uint8: gray, palette, transparency, 16 bits, CMYK, Lab and color profiles.

Pillow's own `convert("RGB")` saturates 16-bit gray at 255, clips floats and shows the colors that transparency hides;
here each mode has its rule, and each rule that changed something says so in a note.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from photosite.errors import PictureError
from photosite.prep.source import display_text

_SPACE_OF_MODE = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
_GRAY_STEP = {"L;2": 85, "L;4": 17}  # 2-bit and 4-bit gray is stretched to 0..255, its transparent value is not


class Rules(NamedTuple):
    """What a caller decides about conversion: see `photosite.prep.load.load`."""

    background: tuple[int, int, int]
    value_range: tuple[float, float] | None
    icc: bool


@dataclass
class Conversion:
    """An RGB image on its way, with what there is to say about it."""

    notes: list[str] = field(default_factory=list)

    def to_rgb(
        self, image: Image.Image, name: str, rules: Rules, *, rawmode: str = "", white: int | None = None
    ) -> Image.Image:
        """Convert a loaded image of any mode to mode RGB; `self.notes` grows by what was done.

        Args:
            image: loaded; left as it is.
            name: what to call it in errors.
            rules: background, value range, whether to apply color profiles.
            rawmode: how the file packs its samples, "" if unknown; see `photosite.prep.decode.Decoded`.
            white: the sample that means white in modes I and I;16, None where nobody says; see there too.

        Raises:
            PictureError: `unsupported_range` for whole numbers or floats whose white nobody knows; `nonfinite`.
        """
        profile = self._profile(image)
        if image.mode in ("I", "F") or image.mode.startswith("I;16"):
            color, alpha = self._from_numbers(image, name, rules, white)
        else:
            if ";16" in rawmode:
                self.notes.append("16-bit samples: the decoder keeps the high byte (divided by 256, rounded down)")
            color, alpha = _split_alpha(image, rawmode)
        rgb = self._color(color, profile, rules)
        if alpha is None or _lowest(alpha) == 255:
            return rgb
        self.notes.append(f"transparency composited over {_color_name(rules.background)}, on sRGB values")
        canvas = Image.new("RGB", rgb.size, rules.background)
        canvas.paste(rgb, mask=alpha)
        return canvas

    def of_pixels(self, pixels: npt.NDArray[np.uint8], image: Image.Image, rules: Rules) -> npt.NDArray[np.uint8]:
        """As `to_rgb`, of a gray or RGB picture that is decoded already.

        Args:
            pixels: RGB, (H, W, 3); given back where no profile is to be applied.
            image: of mode L or RGB; only its mode and its color profile are looked at.
            rules: whether to apply color profiles.
        """
        profile = self._profile(image)
        if profile is None or not self._is_to_apply(profile, image.mode, rules):
            return pixels
        stored = Image.fromarray(pixels[..., 0] if image.mode == "L" else pixels)
        return np.array(self._color(stored, profile, rules))

    def _from_numbers(
        self, image: Image.Image, name: str, rules: Rules, white: int | None
    ) -> tuple[Image.Image, Image.Image | None]:
        """Scale samples of more than 8 bits to gray; a 16-bit PNG can name one transparent value."""
        samples = np.asarray(image)
        if rules.value_range is None and white is None:
            kind = "32-bit floats" if image.mode == "F" else "32-bit whole numbers"
            low, high = _range_of(samples)
            advice = "say which mean black and white with value_range=(low, high)"
            raise PictureError("unsupported_range", name, f"samples are {kind}, here {low:g} to {high:g}; {advice}")
        gray = self.scaled(samples, name, rules, white=abs(white) if white else None)
        if white is not None and white < 0:
            gray = 255 - gray
        key = image.info.get("transparency")
        alpha = Image.fromarray(np.where(samples == key, 0, 255).astype(np.uint8)) if isinstance(key, int) else None
        return Image.fromarray(gray), alpha

    def scaled(
        self, samples: npt.NDArray[np.generic], name: str, rules: Rules, *, white: int | None
    ) -> npt.NDArray[np.uint8]:
        """Scale numbers to 0..255, rounded to nearest: from `rules.value_range` if given, else from 0..white.

        Raises:
            PictureError: `nonfinite` for NaN or infinity.
        """
        if samples.dtype.kind == "f" and not np.isfinite(samples).all():
            raise PictureError("nonfinite", name, f"{int((~np.isfinite(samples)).sum())} samples are NaN or infinite")
        if rules.value_range is not None:
            low, high = rules.value_range
            self.notes.append(f"samples scaled from {low:g} … {high:g} to 0 … 255")
            shares = (samples.astype(np.float64) - low) / (high - low)
            return (np.clip(shares, 0, 1) * 255 + 0.5).astype(np.uint8)
        assert white is not None
        bits = white.bit_length()
        self.notes.append(f"{bits}-bit samples scaled to 8 bits (× 255 / {white}, rounded)")
        whole = samples.astype(np.uint32)  # 65535 * 510 fits
        return np.minimum((whole * 510 + white) // (2 * white), 255).astype(np.uint8)

    def _color(self, image: Image.Image, profile: ImageCms.ImageCmsProfile | None, rules: Rules) -> Image.Image:
        """Convert an opaque image to RGB, through its profile where that is wanted and fits."""
        if image.mode == "CMYK":
            if profile is not None and _space(profile) == "CMYK" and (done := self._through(image, profile)):
                self.notes.append("CMYK converted through its embedded ICC profile")
                return done
            self.notes.append("CMYK converted without a profile: colors are approximate")
        elif image.mode == "LAB":
            self.notes.append("Lab converted to sRGB")
        elif profile is not None and self._is_to_apply(profile, image.mode, rules):
            if done := self._through(image, profile):
                self.notes.append(f"converted to sRGB through its embedded ICC profile ({_title(profile)})")
                return done
            self.notes.append(f"embedded ICC profile ({_title(profile)}) not applied: taken as sRGB")
        return _as_rgb(image)

    def _is_to_apply(self, profile: ImageCms.ImageCmsProfile, mode: str, rules: Rules) -> bool:
        """Whether a profile changes a picture of this mode; where it could and does not, a note says why."""
        if _space(profile) != _SPACE_OF_MODE.get(mode):
            self.notes.append(f"embedded ICC profile ignored: it is for {_space(profile)}, the picture is {mode}")
            return False
        if "srgb" in _title(profile).lower():
            return False
        if not rules.icc:
            self.notes.append(f"embedded ICC profile ({_title(profile)}) not applied: taken as sRGB")
        return rules.icc

    def _through(self, image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image | None:
        try:
            return ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except Exception as fault:  # a profile can open and still be unusable
            self.notes.append(f"embedded ICC profile ignored: {display_text(str(fault))[:80]}")
            return None

    def _profile(self, image: Image.Image) -> ImageCms.ImageCmsProfile | None:
        """Open the embedded color profile; an invalid one is noted and ignored."""
        raw = image.info.get("icc_profile")
        if not raw:
            return None
        try:
            return ImageCms.ImageCmsProfile(io.BytesIO(raw))
        except Exception:  # also TypeError: a PNG text chunk may be named icc_profile
            self.notes.append("embedded ICC profile ignored: invalid; taken as sRGB")
            return None


def _split_alpha(image: Image.Image, rawmode: str) -> tuple[Image.Image, Image.Image | None]:
    """Separate color from opacity: (image without alpha, its alpha as L or None)."""
    if image.mode in ("La", "RGBa"):  # premultiplied
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    if image.mode in ("LA", "PA", "RGBA"):
        rgba = image.convert("RGBA")
    elif image.mode in ("1", "L", "P", "RGB") and (key := _transparent(image, rawmode)) is not None:
        keyed = image.copy()
        keyed.info["transparency"] = key
        rgba = keyed.convert("RGBA")
    else:
        image = _without_transparency(image)
        if image.mode in ("1", "P", "HSV", "YCbCr", "RGBX"):
            image = image.convert("L" if image.mode == "1" else "RGB")
        return image, None
    color = Image.merge("RGB", rgba.split()[:3])
    return color, rgba.getchannel("A")


def _transparent(image: Image.Image, rawmode: str) -> int | bytes | tuple[int, int, int] | None:
    """The color that stands for transparent, in the units of decoded samples; None unless it is sound.

    It is checked because a PNG text chunk may be named "transparency" too.
    """
    key = image.info.get("transparency")
    if image.mode == "P":
        sound = isinstance(key, bytes) or (isinstance(key, int) and 0 <= key <= 255)
        return key if sound else None
    if image.mode == "RGB" and isinstance(key, tuple) and len(key) == 3 and all(isinstance(k, int) for k in key):
        shift = 8 if ";16" in rawmode else 0  # the samples have lost their low byte
        return (key[0] >> shift & 255, key[1] >> shift & 255, key[2] >> shift & 255)
    if image.mode in ("1", "L") and isinstance(key, int):
        scaled = key * _GRAY_STEP.get(rawmode, 1)
        return scaled if 0 <= scaled <= 255 else None
    return None


def _without_transparency(image: Image.Image) -> Image.Image:
    if "transparency" not in image.info:
        return image
    plain = image.copy()
    del plain.info["transparency"]
    return plain


def _as_rgb(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGB")  # convert would copy


def _space(profile: ImageCms.ImageCmsProfile) -> str:
    return str(profile.profile.xcolor_space).strip()


def _title(profile: ImageCms.ImageCmsProfile) -> str:
    return display_text(profile.profile.profile_description or "without a name")[:80]


def _lowest(alpha: Image.Image) -> int:
    return next((value for value, count in enumerate(alpha.histogram()) if count), 255)


def _range_of(samples: npt.NDArray[np.generic]) -> tuple[float, float]:
    finite = samples[np.isfinite(samples)] if samples.dtype.kind == "f" else samples
    return (float(finite.min()), float(finite.max())) if finite.size else (float("nan"), float("nan"))


def _color_name(rgb: tuple[int, int, int]) -> str:
    return {(255, 255, 255): "white", (0, 0, 0): "black"}.get(rgb, f"RGB {rgb}")
