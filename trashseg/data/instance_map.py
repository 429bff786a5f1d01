"""From annotations to an instance map, and back, exactly.

Objects are painted largest first as the masks are, so each pixel has one
owner. Annotations made from a map are disjoint, and painting them in any order
gives the same mask again.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from trashseg.classes import VOID
from trashseg.data.geometry import transpose
from trashseg.data.instances import InstanceMap, empty_map, look_up, widened
from trashseg.data.masks import paint
from trashseg.data.rle import to_json
from trashseg.data.segmentation import order_of

A = TypeVar("A", bound=np.integer[Any])


def annotation_rle(annotation: Mapping[str, Any], height: int, width: int) -> dict[str, Any]:
    """A checked annotation's region as COCO's compressed RLE."""
    region = annotation["segmentation"]
    if isinstance(region, list):
        rles = coco_mask.frPyObjects(region, height, width)
        return dict(coco_mask.merge(rles) if len(rles) > 1 else rles[0])
    if isinstance(region["counts"], list):
        return dict(coco_mask.frPyObjects(region, height, width))
    return dict(region)


def paint_instances(
    annotations: Sequence[dict[str, Any]], height: int, width: int
) -> tuple[InstanceMap, NDArray[np.uint8]]:
    """The instance map of an image, and the class of each instance, (I + 1,), 0 for "none".

    A crowd is one object; where the mask ignores it, `match_mask` takes its pixels away again.
    """
    ordered = sorted(annotations, key=order_of)
    classes_I = np.array([0, *(a["category_id"] for a in ordered)], np.uint8)
    if len(ordered) < VOID:
        numbered = [{**annotation, "category_id": at} for at, annotation in enumerate(ordered, 1)]
        return paint(numbered, (), height, width), classes_I
    instances_WH = empty_map(width, height, len(ordered))
    number = instances_WH.dtype.type
    for at, annotation in enumerate(ordered, 1):
        # decode gives columns first: its transpose is contiguous. Later numbers are higher, so they win.
        inside_WH = coco_mask.decode(annotation_rle(annotation, height, width)).T
        np.maximum(instances_WH, inside_WH * number(at), out=instances_WH)
    return transpose(instances_WH), classes_I


def match_mask(
    instances_HW: InstanceMap, classes_I: NDArray[np.uint8], mask_HW: NDArray[np.uint8]
) -> tuple[InstanceMap, NDArray[np.uint8]]:
    """The instance map made to agree with a mask that was changed after painting: ignored pixels, mended seams.

    A pixel whose class in the mask is not its owner's goes to a neighbouring
    object of that class; where there is none, such pixels of a class become an
    object of their own.
    """
    painted_HW = look_up(classes_I, instances_HW)
    if np.array_equal(painted_HW, mask_HW):
        return instances_HW, classes_I
    wrong_HW = painted_HW != mask_HW
    lost = [index for index in np.unique(mask_HW[wrong_HW]).tolist() if index not in (0, VOID)]
    matched_HW = widened(instances_HW, len(classes_I) + len(lost)).copy()
    matched_HW[wrong_HW] = 0
    for index in lost:
        lost_HW = wrong_HW & (mask_HW == index)
        of_class_HW = np.where(classes_I[matched_HW] == index, matched_HW, matched_HW.dtype.type(0))
        nearby_HW = np.asarray(cv2.dilate(of_class_HW, np.ones((5, 5), np.uint8)), matched_HW.dtype)
        orphans_HW = lost_HW & (nearby_HW == 0)
        if orphans_HW.any():
            nearby_HW[orphans_HW] = len(classes_I)
            classes_I = np.append(classes_I, np.uint8(index))
        matched_HW[lost_HW] = nearby_HW[lost_HW]
    return matched_HW, classes_I


def instance_annotations(instances_HW: NDArray[np.integer[Any]], classes_I: NDArray[np.uint8]) -> list[dict[str, Any]]:
    """An annotation of `category_id`, RLE `segmentation`, `area`, `bbox` and `iscrowd` 0 for each object in sight.

    In the order of their numbers. All objects come from one pass over the
    map's runs down the columns, in which COCO counts, not one pass each.
    """
    height, width = instances_HW.shape
    (top, left), part_HW = _with_objects(instances_HW)
    flat = transpose(part_HW).ravel()
    starts_R = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
    lengths_R = np.diff(starts_R, append=len(flat))
    owners_R = flat[starts_R]
    columns_R, rows_R = np.divmod(starts_R, max(1, part_HW.shape[0]))
    starts_R = (left + columns_R) * height + top + rows_R
    order_R = np.argsort(owners_R, kind="stable")
    owners_R, starts_R, lengths_R = owners_R[order_R], starts_R[order_R], lengths_R[order_R]
    firsts = np.flatnonzero(np.diff(owners_R, prepend=0)).tolist()  # of each object in sight; 0 comes before them
    if not firsts:
        return []
    bounds = [slice(a, b) for a, b in pairwise([*firsts, len(owners_R)])]
    runs = [{"counts": _counts(starts_R[at], lengths_R[at], height * width), "size": [height, width]} for at in bounds]
    rles = coco_mask.frPyObjects(runs, height, width)
    return [
        {
            "category_id": int(classes_I[owners_R[at.start]]),
            "segmentation": to_json(rle),
            "area": int(lengths_R[at].sum()),
            "bbox": box,
            "iscrowd": 0,
        }
        for at, rle, box in zip(bounds, rles, coco_mask.toBbox(rles).tolist(), strict=True)
    ]


def _with_objects(instances_HW: NDArray[A]) -> tuple[tuple[int, int], NDArray[A]]:
    """The part of a map that holds objects, and where it starts: less to look through than all of it.

    Unless it is of full height it has an empty row, so that no object's run
    goes on from one column into the next.
    """
    height = len(instances_HW)
    narrow = instances_HW.dtype == np.uint8
    x, y, w, h = cv2.boundingRect(instances_HW if narrow else (instances_HW > 0).view(np.uint8))
    if h == height or w == 0:
        return (0, x), instances_HW[:, x : x + max(w, 1)]
    top, bottom = (y - 1, y + h) if y > 0 else (0, h + 1)
    return (top, x), instances_HW[top:bottom, x : x + w]


def ignored_annotations(mask_HW: NDArray[np.uint8]) -> list[dict[str, Any]]:
    """One annotation for the pixels that a mask ignores (255), or none; it has no category."""
    if mask_HW.max(initial=0) < VOID:
        return []
    whole = instance_annotations((mask_HW == VOID).view(np.uint8), np.zeros(2, np.uint8))[0]
    return [{key: value for key, value in whole.items() if key != "category_id"}]


def _counts(starts_R: NDArray[np.int64], lengths_R: NDArray[np.int64], total: int) -> NDArray[np.uint32]:
    """COCO's run lengths, pixels outside first: [outside, inside, outside, ...]."""
    counts = np.empty(2 * len(starts_R) + 1, np.uint32)
    ends_R = starts_R + lengths_R
    counts[0] = starts_R[0]
    counts[2:-1:2] = starts_R[1:] - ends_R[:-1]
    counts[1::2] = lengths_R
    counts[-1] = total - ends_R[-1]
    return counts if counts[-1] else counts[:-1]
