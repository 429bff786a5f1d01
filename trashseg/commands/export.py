"""`trashseg export`: a model folder as one ONNX file."""

from pathlib import Path


def export(model: Path, *, out: Path, opset: int = 18, tolerance: float = 1e-3) -> None:
    """Write a model as ONNX: photos in, probabilities out, any size.

    Example: `trashseg export artifacts/train/r1/unet/0 --out unet.onnx`

    The file takes uint8 r, g, b pixels (B, H, W, 3), H and W multiples of the model's stride, and is compared with
    torch in onnxruntime before it is kept.

    Parameters
    ----------
    model
        A model folder with model.json and weights.safetensors.
    out
        The file to write.
    opset
        ONNX operator set, from 17 on.
    tolerance
        Largest difference of a probability to torch's own answer.
    """
    from trashseg.inference.export import export_checked, noise
    from trashseg.models.model_folder import load_model

    network, description = load_model(model)
    size = (description.image_size[0], description.image_size[1])
    parity = export_checked(network, out, size, opset, noise(size, network.stride), tolerance)
    print(
        f"{out}: {out.stat().st_size / 1e6:.1f} MB, differs from torch by at most {parity.largest_difference:.1e}; "
        f"{parity.onnx_ms:.0f} ms an image in onnxruntime, {parity.torch_ms:.0f} ms in torch"
    )
