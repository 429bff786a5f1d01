"""`trashseg doctor`: what is wrong with a dataset."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def doctor(
    dataset: Path,
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    page: Path | None = None,
    max_megapixels: float = 64.0,
    near_duplicate_bits: int = 48,
    jobs: int = 0,
) -> None:
    """Examine a COCO dataset: its JSON files and every image they name.

    Example: `trashseg doctor mine/ --page doctor.html`

    Ends with code 1 if there are errors, which the pipeline would stop at. Warnings are counted and shown, too: labels
    that reach out of their image, near-duplicates (also between train and test files), images that ask to be turned.

    Parameters
    ----------
    dataset
        A COCO file, or a folder with train_all.json, test.json and the like.
    as_json
        Print everything as JSON instead of sentences.
    page
        Also write an HTML page with plots and pictures of the worst findings.
    max_megapixels
        A larger image is an error; it is not opened.
    near_duplicate_bits
        How many of 256 bits may differ in near-duplicates; -1 does not look for them.
    jobs
        Processes; 0 uses every core.
    """
    import json

    from trashseg.data.doctor import examine
    from trashseg.data.doctor_page import write_page

    diagnosis = examine(dataset, max_megapixels, near_duplicate_bits, jobs)
    if page is not None:
        write_page(page, dataset, diagnosis)
    if as_json:
        print(json.dumps(diagnosis.as_json(), indent=1))
    else:
        for finding in sorted(diagnosis.findings, key=lambda finding: finding.severity, reverse=True):
            print(f"{finding.severity}: {finding.sentence()}")
        print(f"{diagnosis.count('error')} errors, {diagnosis.count('warning')} warnings")
    if diagnosis.count("error"):
        raise SystemExit(1)
