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
    show: int = 20,
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
        Print everything as JSON instead of sentences: trashseg doctor mine/ --json > findings.json
    page
        Also write an HTML page with plots and pictures of the worst findings: --page doctor.html
    max_megapixels
        A larger image is an error; it is not opened: --max-megapixels 200 for scans.
    near_duplicate_bits
        How many of 256 bits may differ in near-duplicates: --near-duplicate-bits 24 is stricter, -1
        does not look for them.
    show
        Findings printed of each kind: --show 5. What is not printed is counted.
    jobs
        Processes: --jobs 4. 0 uses every core.
    """
    import json
    from collections import Counter

    from trashseg.data.doctor import examine
    from trashseg.data.doctor_page import write_page

    diagnosis = examine(dataset, max_megapixels, near_duplicate_bits, jobs)
    if page is not None:
        write_page(page, dataset, diagnosis)
    if as_json:
        print(json.dumps(diagnosis.as_json(), indent=1))
    else:
        seen: Counter[tuple[str, str]] = Counter()
        for finding in sorted(diagnosis.findings, key=lambda finding: finding.severity, reverse=True):
            seen[finding.severity, finding.kind] += 1
            if seen[finding.severity, finding.kind] <= show:
                print(f"{finding.severity}: {finding.sentence()}")
        for (severity, kind), count in seen.items():
            if count > show:
                print(f"{severity}: and {count - show} more of kind {kind} (--show {count} prints them all)")
        print(f"{diagnosis.count('error')} errors, {diagnosis.count('warning')} warnings")
    if diagnosis.count("error"):
        raise SystemExit(1)
