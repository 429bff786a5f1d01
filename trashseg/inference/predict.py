"""A network's probabilities of photos of any size: scales, mirror images, windows, batches.

A photo is looked at as in training: the whole of it at the trained size
(`whole`), or, for photos with much more detail than that, at its own pixels in
overlapping windows (`windows`). Each look is a tile; tiles of one size go
through the network in batches, whatever photo they come from. Answers are
averaged as probabilities, at the size they were made, and brought to the
photo's own size once, on the device. What a single look says, at scale 1 and
not mirrored, is had on the way and can be kept, so that the gain of all the
others can be told without predicting twice. That is how a GPU is kept busy; on
the CPU each photo is looked at by one thread, a tile at a time (`on_cpu`).

B batch, C classes or colours, K classes kept, H height, W width.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from trashseg.data.resizing import resize
from trashseg.errors import InputError
from trashseg.inference.on_cpu import MANY_LOOKS, at_once, fast_network, photo_threads
from trashseg.inference.probabilities import LEVELS, drop_threshold
from trashseg.inference.windows import corners, gaussian_weights
from trashseg.inference.workers import read_ahead
from trashseg.models.networks import SegmentationNetwork
from trashseg.parallel import cores

FLIPS: dict[str, tuple[int, ...]] = {"none": (), "horizontal": (-1,), "vertical": (-2,), "both": (-2, -1)}
"""The axes of an image_BCHW that each mirror image turns round."""

PRECISIONS = {"bf16": torch.bfloat16, "16": torch.float16}


@dataclass(frozen=True)
class View:
    """How to look at a photo: see `PredictConfig`."""

    whole: bool = True
    scales: Sequence[float] = (1.0,)
    flips: Sequence[str] = ("none",)
    window_overlap: float = 0.5

    @property
    def averages(self) -> bool:
        """Whether a photo is looked at more than once, a single look at scale 1 among them."""
        return len(self.scales) * len(self.flips) > 1 and 1.0 in self.scales and "none" in self.flips


@dataclass(frozen=True)
class Answer:
    """What a network says of one photo, at its own size, on the device.

    `probabilities_CHW` is the mean of all looks, float32; `single_HW` the best
    class of a single look, uint8, None where it was not asked for.
    """

    probabilities_CHW: Tensor
    single_HW: Tensor | None


@dataclass
class _Look:
    """One photo at one scale: its tiles' answers, summed until all are there.

    With `single` the planes of the look that is not mirrored lie behind those of the mean: sums are (2 C, H, W).
    """

    image_HWC: NDArray[np.uint8]
    size: tuple[int, int]
    waiting: int
    single: bool = False
    sum_CHW: Tensor | None = None
    weight_HW: Tensor | None = None


@dataclass
class _Photo:
    """A photo on its way: `size` is its own height and width."""

    size: tuple[int, int]
    looks: list[_Look] = field(default_factory=list)
    total_CHW: Tensor | None = None
    single_HW: Tensor | None = None
    waiting: int = 0


@dataclass(frozen=True)
class _Tile:
    photo: _Photo
    look: _Look
    corner: tuple[int, int]
    image_HWC: NDArray[np.uint8]


def choose_device(name: str = "auto") -> torch.device:
    """The device of a name; `auto` is the first GPU where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
        return device
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {name!r} cannot be used: {str(error).splitlines()[0]}") from None


class Predictor:
    """Photos in, probabilities at their own sizes out, in order.

    Results of different batch sizes differ by rounding alone: at most 1e-4 in
    float32. `precision` is `auto`, `32`, `bf16` or `16`. `keep_single`: where
    several looks are averaged, also say what a single one sees. `photos` is
    how many will come: a lot of them makes preparations pay on the CPU, and
    the same number gives the same bytes.
    """

    def __init__(
        self,
        network: SegmentationNetwork,
        image_size: tuple[int, int],
        view: View,
        device: torch.device,
        batch_size: int = 8,
        precision: str = "auto",
        keep_single: bool = False,
        photos: int = 0,
    ) -> None:
        self.keep_single = keep_single and view.averages
        self.network = network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self.image_size = image_size
        self.view = view
        self.device = device
        self.batch_size = batch_size
        if precision == "auto":
            precision = "bf16" if device.type == "cuda" else "32"
        self.dtype = PRECISIONS.get(precision)
        self.photos = photos
        self._fast: Callable[[Tensor], Tensor] | None = None
        if device.type == "cpu" and self.dtype is None and photos * len(view.scales) * len(view.flips) >= MANY_LOOKS:
            share = at_once(photos, batch_size)[1]
            with photo_threads(photos, batch_size) as pool:
                self._fast = pool.submit(fast_network, self.network, self._tile_sizes(), share).result()
        self.window_weight_HW = torch.from_numpy(gaussian_weights(self._window())).to(device)

    def probabilities(self, photos: Iterable[NDArray[np.uint8]]) -> Iterator[Tensor]:
        """probabilities_CHW of each image_HWC, as `answers` has them."""
        return (answer.probabilities_CHW for answer in self.answers(photos))

    def answers(self, photos: Iterable[NDArray[np.uint8]]) -> Iterator[Answer]:
        """The answer to each image_HWC (uint8 r, g, b), in order, at the image's own size.

        At most a few batches of photos are held at a time, however many come.
        Raises `InputError` where the memory does not suffice.
        """
        if self.device.type == "cpu":
            with photo_threads(self.photos or self.batch_size, self.batch_size) as pool:
                yield from read_ahead(self.answer, photos, pool, min(cores(), self.batch_size))
        else:
            yield from self.batched(photos)

    @torch.inference_mode()
    def answer(self, image_HWC: NDArray[np.uint8]) -> Answer:
        """The answer to one image_HWC, a tile at a time; threads may ask at the same time."""
        photo, tiles = self._cut(image_HWC)
        with self._enough_memory():
            for tile in tiles:
                self._answer([tile])
        return _finished(photo)

    @torch.inference_mode()
    def batched(self, photos: Iterable[NDArray[np.uint8]]) -> Iterator[Answer]:
        """What `answers` gives, tiles of several photos in one batch."""
        queues: dict[tuple[int, int], list[_Tile]] = {}
        line: deque[_Photo] = deque()
        for image_HWC in photos:
            photo, tiles = self._cut(image_HWC)
            line.append(photo)
            for tile in tiles:
                queue = queues.setdefault(tile.image_HWC.shape[:2], [])
                queue.append(tile)
                if len(queue) == self.batch_size:
                    with self._enough_memory():
                        self._answer(queue)
                    queue.clear()
            while line and not line[0].waiting:
                yield _finished(line.popleft())
        for queue in queues.values():
            if queue:
                with self._enough_memory():
                    self._answer(queue)
        for photo in line:
            yield _finished(photo)

    def _window(self) -> tuple[int, int]:
        """The trained size, rounded up to what the network can take."""
        return _rounded(self.image_size, self.network.stride)

    def _tile_sizes(self) -> list[tuple[int, int]]:
        """The sizes of all tiles there may be."""
        if not self.view.whole:
            return [self._window()]
        height, width = self.image_size
        return [
            _rounded((round(height * scale), round(width * scale)), self.network.stride) for scale in self.view.scales
        ]

    def _cut(self, image_HWC: NDArray[np.uint8]) -> tuple[_Photo, list[_Tile]]:
        """A photo's tiles at all scales."""
        photo = _Photo(image_HWC.shape[:2])
        tiles: list[_Tile] = []
        base = self.image_size if self.view.whole else photo.size
        for scale in self.view.scales:
            wanted = (max(1, round(base[0] * scale)), max(1, round(base[1] * scale)))
            size = _rounded(wanted, self.network.stride) if self.view.whole else wanted
            window = size if self.view.whole else self._window()
            scaled_HWC = _padded(resize(image_HWC, size), window)
            places = corners(size, window, self.view.window_overlap)
            look = _Look(scaled_HWC, size, len(places), self.keep_single and scale == 1)
            photo.looks.append(look)
            for y, x in places:
                tiles.append(_Tile(photo, look, (y, x), scaled_HWC[y : y + window[0], x : x + window[1]]))
        photo.waiting = len(tiles)
        return photo, tiles

    def _autocast(self) -> AbstractContextManager[object]:
        return nullcontext() if self.dtype is None else torch.autocast(self.device.type, self.dtype)

    @contextmanager
    def _enough_memory(self) -> Iterator[None]:
        """Say what to do where the memory does not suffice; torch names CPU memory in a plain RuntimeError."""
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if not isinstance(error, torch.OutOfMemoryError | MemoryError) and "can't allocate memory" not in str(
                error
            ):
                raise
            raise InputError(
                f"the memory of {self.device} does not hold a batch of {self.batch_size} tiles and their photos; "
                "set a smaller batch_size, fewer scales, or smaller photos"
            ) from None

    def _answer(self, tiles: Sequence[_Tile]) -> None:
        """The network's answers to a batch of tiles, given to their photos."""
        image_BHWC = torch.from_numpy(np.stack([tile.image_HWC for tile in tiles])).to(self.device)
        image_BCHW = image_BHWC.permute(0, 3, 1, 2)  # channels last already
        sum_BCHW: Tensor | None = None
        single_BCHW: Tensor | None = None
        for flip in self.view.flips:
            axes = FLIPS[flip]
            answer_BCHW = self._logits(image_BCHW.flip(axes) if axes else image_BCHW).float().softmax(1)
            answer_BCHW = answer_BCHW.flip(axes) if axes else answer_BCHW
            if not axes and any(tile.look.single for tile in tiles):
                single_BCHW = answer_BCHW.clone()
            sum_BCHW = answer_BCHW if sum_BCHW is None else sum_BCHW.add_(answer_BCHW)
        assert sum_BCHW is not None
        sum_BCHW /= len(self.view.flips)
        for index, (tile, answer_CHW) in enumerate(zip(tiles, sum_BCHW, strict=True)):
            if tile.look.single:
                assert single_BCHW is not None
                answer_CHW = torch.cat([answer_CHW, single_BCHW[index]])
            self._add(tile, answer_CHW)

    def _logits(self, image_BCHW: Tensor) -> Tensor:
        if self._fast is not None:
            return self._fast(image_BCHW)
        with self._autocast():
            logits_BCHW: Tensor = self.network(image_BCHW)
        return logits_BCHW

    def _add(self, tile: _Tile, answer_CHW: Tensor) -> None:
        """One tile's answer to its photo's; the last of a scale brings the scale to the photo's own size."""
        photo, look = tile.photo, tile.look
        if look.waiting == 1 and look.sum_CHW is None:
            look.sum_CHW = answer_CHW
        else:
            self._blend(tile, answer_CHW)
        look.waiting -= 1
        photo.waiting -= 1
        if look.waiting:
            return
        assert look.sum_CHW is not None
        if look.weight_HW is not None:
            look.sum_CHW /= look.weight_HW
        scaled_CHW = resampled(look.sum_CHW[:, : look.size[0], : look.size[1]], photo.size)
        if look.single:
            scaled_CHW, single_CHW = scaled_CHW.chunk(2)
            photo.single_HW = best_classes(single_CHW)
        photo.total_CHW = scaled_CHW if photo.total_CHW is None else photo.total_CHW.add_(scaled_CHW)
        look.sum_CHW = look.weight_HW = None

    def _blend(self, tile: _Tile, answer_CHW: Tensor) -> None:
        """Add a window's answer, weighted, where the window lies."""
        look = tile.look
        if look.sum_CHW is None or look.weight_HW is None:
            height, width = look.image_HWC.shape[:2]
            look.sum_CHW = torch.zeros((len(answer_CHW), height, width), device=self.device)
            look.weight_HW = torch.zeros((height, width), device=self.device)
        (y, x), (height, width) = tile.corner, tile.image_HWC.shape[:2]
        look.sum_CHW[:, y : y + height, x : x + width] += answer_CHW * self.window_weight_HW
        look.weight_HW[y : y + height, x : x + width] += self.window_weight_HW


def resampled(probabilities_CHW: Tensor, size: tuple[int, int]) -> Tensor:
    """probabilities_CHW at `size` (height, width), bilinear; averaged over pixels where it gets smaller."""
    if probabilities_CHW.shape[1:] == size:
        return probabilities_CHW.clone(memory_format=torch.contiguous_format)
    smaller = size[0] < probabilities_CHW.shape[1] or size[1] < probabilities_CHW.shape[2]
    if probabilities_CHW.device.type == "cpu" and not smaller:  # by OpenCV: the same in a seventh of the time
        larger_CHW = np.empty((len(probabilities_CHW), *size), np.float32)
        for plane_HW, larger_HW in zip(probabilities_CHW.contiguous().numpy(), larger_CHW, strict=True):
            cv2.resize(plane_HW, size[::-1], larger_HW, interpolation=cv2.INTER_LINEAR)
        return torch.from_numpy(larger_CHW)
    image_BCHW = probabilities_CHW[None].contiguous()
    return F.interpolate(image_BCHW, size, mode="bilinear", align_corners=False, antialias=smaller)[0]


def best_classes(probabilities_CHW: Tensor) -> Tensor:
    """mask_HW, uint8; on the CPU `max` finds the place five times faster than `argmax`."""
    return probabilities_CHW.max(0).indices.byte()


def quantised(probabilities_CHW: Tensor) -> tuple[NDArray[np.uint8], list[int]]:
    """What `probabilities.quantise` gives, computed where the tensor is: a quarter of the bytes leave the GPU."""
    peaks_C = probabilities_CHW.flatten(1).amax(1).cpu()
    if not bool(torch.isfinite(peaks_C).all()):
        raise InputError("the network answers NaN: its weights are broken, or they overflow in this precision")
    kept = torch.nonzero(peaks_C >= drop_threshold(len(peaks_C))).flatten().tolist()
    levels_KHW = probabilities_CHW[kept].clamp(0, 1).mul_(LEVELS).add_(0.5).to(torch.uint8)
    return levels_KHW.cpu().numpy(), kept


def _finished(photo: _Photo) -> Answer:
    """The mean over scales."""
    assert photo.total_CHW is not None
    return Answer(photo.total_CHW.div_(len(photo.looks)), photo.single_HW)


def _rounded(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """`size` with each side at the nearest multiple of `stride`, at least one."""
    height, width = (max(1, round(side / stride)) * stride for side in size)
    return height, width


def _padded(image_HWC: NDArray[np.uint8], window: tuple[int, int]) -> NDArray[np.uint8]:
    """The image, mirrored at its lower and right edge where it is smaller than a window."""
    bottom, right = (max(0, side - have) for side, have in zip(window, image_HWC.shape, strict=False))
    if not (bottom or right):
        return image_HWC
    return np.asarray(cv2.copyMakeBorder(image_HWC, 0, bottom, 0, right, cv2.BORDER_REFLECT), np.uint8)
