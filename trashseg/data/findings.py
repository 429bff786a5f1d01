"""What is wrong with a dataset, one finding at a time: errors stop, warnings count."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from trashseg.errors import InputError

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One fault. `where` is a file, `subject` names the part ("annotation 12"), `kind` is a fixed word for counting.

    `amount` ranks findings of one kind: the worst has the most.
    """

    severity: Severity
    kind: str
    where: str
    subject: str
    message: str
    amount: float = 0.0

    def sentence(self) -> str:
        """`FILE: annotation 12: a polygon has 2 points, expected at least 3`."""
        return ": ".join(part for part in (self.where, self.subject, self.message) if part)

    def row(self) -> dict[str, str]:
        """As a JSON object."""
        return {key: value for key, value in asdict(self).items() if key != "amount"}


def stop_at_errors(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, if all are warnings; else an `InputError` that names the first error and counts the others."""
    kept = list(findings)
    errors = [finding for finding in kept if finding.severity == "error"]
    if errors:
        others = f" (and {len(errors) - 1} more errors; see `trashseg doctor`)" if len(errors) > 1 else ""
        raise InputError(f"{errors[0].sentence()}{others}")
    return kept
