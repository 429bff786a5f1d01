"""The model that `mlflow models serve` runs: a photo in, a mask out, from ONNX files alone.

MLflow copies this file into the model ("models from code"), so it imports
nothing of trashseg and no torch, and loading it unpickles nothing.

A request is rows with `image`, a base64 JPEG or PNG. It is turned as its EXIF tag says, as `trashseg predict` and
viewers do. Each answer is {"mask": base64 PNG of class indices at the photo's size, upright, "shares": {class: share
of pixels}}.
"""

import base64
import json
from pathlib import Path
from typing import Any

import cv2
import mlflow
import numpy as np
import onnxruntime
import pandas as pd
from numpy.typing import NDArray


class LitterModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined, unused-ignore]
    """The mean of several networks' probabilities, each at its trained size."""

    def load_context(self, context: Any) -> None:
        """Open the ONNX files that model.json names."""
        facts = json.loads(Path(context.artifacts["facts"]).read_text())
        self.classes: list[str] = facts["classes"]
        self.members = [
            (onnxruntime.InferenceSession(context.artifacts[name], providers=["CPUExecutionProvider"]), tuple(size))
            for name, size in facts["members"].items()
        ]

    def predict(
        self,
        context: Any,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> list[dict[str, Any]]:
        """One answer per row of the request."""
        return [self._answer(row) for row in model_input["image"]]

    def _answer(self, encoded: str) -> dict[str, Any]:
        image_HWC = cv2.imdecode(np.frombuffer(base64.b64decode(encoded), np.uint8), cv2.IMREAD_COLOR)
        if image_HWC is None:
            raise ValueError("column 'image': expected a JPEG or PNG as base64")
        mask_HW = self._mask(np.asarray(cv2.cvtColor(image_HWC, cv2.COLOR_BGR2RGB), np.uint8))
        counts = np.bincount(mask_HW.ravel(), minlength=len(self.classes))
        shares = {name: int(n) / mask_HW.size for name, n in zip(self.classes, counts, strict=True) if n}
        png = cv2.imencode(".png", mask_HW)[1].tobytes()
        return {"mask": base64.b64encode(png).decode(), "shares": shares}

    def _mask(self, image_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = image_HWC.shape[:2]
        total_HWC = np.zeros((height, width, len(self.classes)), np.float32)
        for session, (rows, columns) in self.members:
            shrinks = rows * columns < height * width
            method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            batch_BHWC = cv2.resize(image_HWC, (columns, rows), interpolation=method)[None]
            probabilities_CHW = session.run(["probabilities"], {"image": batch_BHWC})[0][0]
            total_HWC += cv2.resize(probabilities_CHW.transpose(1, 2, 0), (width, height))
        return np.asarray(total_HWC.argmax(2), np.uint8)


mlflow.models.set_model(LitterModel())
