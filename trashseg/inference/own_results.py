"""What is written for each of one's own photos, on threads behind the network."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from trashseg.classes import Classes, write_classes
from trashseg.inference.own_photos import shares
from trashseg.inference.predict import best_classes, quantised
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.io import write_image, write_json, write_mask
from trashseg.parallel import cores
from trashseg.report.pictures import paint


class Results:
    """`masks/`, `overlays/`, `shares.json`, and `probabilities/` where wanted; `shares.json` comes last."""

    def __init__(self, out: Path, classes: Classes, probabilities: bool = False) -> None:
        self.out = out
        self.classes = classes
        self.store = ProbabilityStore(out / "probabilities", classes.names) if probabilities else None
        self.names: list[str] = []
        self._files: list[str] = []
        self._shares: list[Future[dict[str, float]]] = []
        self._pool = ThreadPoolExecutor(cores())

    @property
    def count(self) -> int:
        """Photos added."""
        return len(self.names)

    def add(self, name: str, file: str, image_HWC: NDArray[np.uint8], probabilities_CHW: Tensor) -> None:
        """Write one photo's results; returns before they are written, unless many wait."""
        mask_HW = best_classes(probabilities_CHW).cpu().numpy()
        number = len(self.names)
        if self.store is not None:
            levels_KHW, kept = quantised(probabilities_CHW)
            self.store.write_levels(number, levels_KHW, kept, len(self.classes))
        self.names.append(name)
        self._files.append(file)
        self._shares.append(self._pool.submit(self._write, name, image_HWC, mask_HW))
        if number >= 4 * cores():
            self._shares[number - 4 * cores()].result()

    def _write(self, name: str, image_HWC: NDArray[np.uint8], mask_HW: NDArray[np.uint8]) -> dict[str, float]:
        palette = self.classes.palette()
        write_mask(self.out / "masks" / f"{name}.png", mask_HW, palette)
        write_image(self.out / "overlays" / f"{name}.jpg", paint(image_HWC, mask_HW, palette))
        return shares(mask_HW, self.classes)

    def __enter__(self) -> "Results":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)
        if kind is not None or not self.names:
            return
        rows = [
            {"name": name, "file": file, "shares": share.result()}
            for name, file, share in zip(self.names, self._files, self._shares, strict=True)
        ]
        write_json(self.out / "shares.json", {"classes": list(self.classes.names), "photos": rows})
        if self.store is not None:
            write_json(self.store.folder / "names.json", dict(enumerate(self.names)))
            write_classes(self.store.folder / "classes.json", self.classes)
