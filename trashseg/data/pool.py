"""Photos without labels beside the test set, for pseudo labels to be made of: `unlabelled.json` of the dataset.

They come as a COCO file or as a plain folder of photos. One that is, nearly,
a labelled photo, a test photo or another one of the pool is left out: it would
teach nothing new, and a twin of a held-out photo should not be learned from.
"""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from trashseg.data.coco import Row, read_coco
from trashseg.data.duplicates import near_duplicates
from trashseg.data.image_files import Look
from trashseg.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")

FOLDER = "unlabelled"
"""Where the pool's photos lie below the dataset's `images/`, so that no name meets another one."""


def read_pool(source: Path, max_megapixels: float) -> tuple[Path, list[Row]]:
    """(the folder its file names start from, image rows) of a COCO file or a folder of photos, ordered by name."""
    if source.is_file():
        rows = read_coco(source, max_megapixels).images
        folders = (source.parent, source.parent / "images")
        found = next((f for f in folders if rows and (f / rows[0]["file_name"]).is_file()), source.parent)
        return found, rows
    if not source.is_dir():
        raise InputError(f"{source}: no such COCO file or folder of photos (data.unlabelled)")
    files = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not files:
        raise InputError(f"{source}: no photo found, expected files such as *.jpg or *.png (data.unlabelled)")
    return source, [_row(number, path, source) for number, path in enumerate(files)]


def _row(number: int, path: Path, folder: Path) -> Row:
    try:
        with Image.open(path) as image:
            width, height = image.size
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: cannot be decoded: {error}") from None
    return {"id": number, "file_name": str(path.relative_to(folder)), "width": width, "height": height}


def new_ones(looks: Sequence[Look], known: Sequence[Look], max_bits: int) -> list[bool]:
    """Whether each photo of the pool is like none of `known` and none before it."""
    together = [*known, *looks]
    pairs = near_duplicates(
        [look.hash_bits or b"" for look in together],
        [look.thumbnail or b"" for look in together],
        [look.edges or b"" for look in together],
        max_bits,
    )
    twins = {later for _, later, _ in pairs}
    return [len(known) + index not in twins for index in range(len(looks))]


def pool_rows(rows: Sequence[Row], keep: Sequence[bool], first_id: int) -> list[Row]:
    """The rows to keep, with ids from `first_id` on and names below `FOLDER`."""
    return [
        {**row, "id": first_id + number, "source_id": row["id"], "file_name": f"{FOLDER}/{row['file_name']}"}
        for number, (row, kept) in enumerate(zip(rows, keep, strict=True))
        if kept
    ]
