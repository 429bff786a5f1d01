"""`trashseg preset`: list the presets, put one in the place of params.yaml, or go back."""

from trashseg import presets


def preset(name: str | None = None, *, back: bool = False) -> None:
    """List the presets, or put one in the place of params.yaml.

    Example: `trashseg preset real`, and `trashseg preset --back` to undo it.

    Parameters
    ----------
    name
        A file of presets/ without its .yaml; none lists them.
    back
        Bring back what the preset replaced.
    """
    if back:
        print(presets.back())
    elif name is not None:
        print(presets.put(name, {}))
    else:
        for known in presets.names():
            first = (presets.PRESETS / f"{known}.yaml").read_text().splitlines()[0]
            print(f"{known:12} {first.removeprefix('# ')}")
