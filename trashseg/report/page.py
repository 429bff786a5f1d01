"""The whole page: artefacts in, one HTML text out. The same artefacts give the same bytes: no clock, no host."""

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from trashseg import paths
from trashseg.io import read_json
from trashseg.report import charts, gains, tables, words
from trashseg.report.config import ReportConfig
from trashseg.report.gallery import Gallery, build_gallery
from trashseg.report.material import Material, read_material
from trashseg.report.scores import read_confusion

SECTIONS = (
    ("steps", "Steps"),
    ("gains", "Gains"),
    ("classes", "Classes"),
    ("sizes", "Sizes"),
    ("calibration", "Sureness"),
    ("confusion", "Mix-ups"),
    ("gallery", "Photos"),
    ("crf", "CRF"),
    ("disagreement", "Disagreement"),
    ("training", "Training"),
    ("folds", "Folds"),
    ("files", "Files"),
)


def fixed(score: float | None) -> str:
    """A score with three decimals; a dash for one that does not exist."""
    return "–" if score is None else f"{score:.3f}"


def signed(gain: float | None) -> str:
    """A gain with its sign and three decimals; a dash for one that does not exist."""
    return "–" if gain is None else f"{gain:+.3f}".replace("-", "−")


def _asset(name: str) -> Markup:
    return Markup(resources.files("trashseg.report").joinpath("templates", name).read_text(encoding="utf-8"))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("trashseg.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.globals["fixed"] = fixed
    environment.globals["signed"] = signed
    return environment


def _headline(material: Material) -> dict[str, Any]:
    score = material.chosen.oof
    ring = charts.ring(score.miou, words.percent(score.miou))
    return {"value": fixed(score.miou), "ring": ring, "text": words.headline(score)}


def _facts(material: Material) -> list[dict[str, object]]:
    facts: list[dict[str, object]] = [
        {"value": len(material.labelled), "label": "labelled photos"},
        {"value": len(material.test), "label": "photos to answer"},
        {"value": len(material.classes) - 1, "label": "kinds of litter"},
        {"value": len(material.models) * material.folds.k, "label": "networks in each round"},
        {"value": len(material.rounds), "label": "rounds" if len(material.rounds) > 1 else "round"},
    ]
    test = material.chosen.test
    if test is not None:
        facts.append({"value": words.percent(test.miou), "label": "on the test photos"})
    return facts


def _chosen(material: Material) -> dict[str, str]:
    chosen = material.chosen
    text = f"Shipped: round {chosen.round_id}, {chosen.label}, with mIoU {fixed(chosen.oof.miou)} out of fold. "
    return {"text": text + words.gain(material.steps, chosen), "reason": material.selected.reason}


def _steps(material: Material) -> list[dict[str, Any]]:
    chosen = material.chosen
    return [
        {
            "round_id": step.round_id,
            "label": step.label,
            "kind": step.kind,
            "oof": step.oof,
            "test": step.test,
            "chosen": step is chosen,
            "first": index > 0 and material.steps[index - 1].round_id != step.round_id,
        }
        for index, step in enumerate(material.steps)
    ]


def _crf(material: Material, gallery: Gallery) -> dict[str, Any]:
    on, reason = bool(material.refine.get("on")), str(material.refine.get("reason", ""))
    does = "The CRF moves the edges of what was painted to the edges seen in the photo. "
    verdict = "It is on" if on else "It is off here, so the answers stay the ensemble's"
    reason = reason.removeprefix("on: ").removeprefix("off: ")
    rows = gains.crf_rows(material.steps, material.selected.round_id, material.classes.names) if on else []
    return {"text": f"{does}{verdict}{': ' + reason if reason else ''}.", "examples": gallery.crf, "rows": rows}


def _gains(material: Material) -> list[dict[str, Any]]:
    shipped = gains.step_gains(material.selected.round_id)
    return shipped + gains.round_gains(material.rounds)


def _files(material: Material) -> list[dict[str, str]]:
    return [
        {"path": str(paths.SUBMISSION / "submission.csv"), "text": f"the answers for {len(material.test)} photos"},
        {"path": str(paths.refine(material.selected.round_id) / "test"), "text": "the same as index masks"},
        {"path": str(paths.evaluate(material.selected.round_id)), "text": "every score as JSON and CSV"},
    ]


def _shown(gallery: Gallery, **blocks: object) -> list[tuple[str, str]]:
    empty = {"gallery": not (gallery.best or gallery.worst), "disagreement": not gallery.disagreement}
    empty |= {name: not block for name, block in blocks.items()}
    return [(id, title) for id, title in SECTIONS if not empty.get(id)]


def render(material: Material, gallery: Gallery, rounds: Sequence[str] = ()) -> str:
    """The page as HTML text."""
    names = material.classes.names
    confusion_CC = read_confusion(paths.evaluate(material.selected.round_id) / "oof" / "confusion.csv")
    shares = tables.class_shares(confusion_CC, names)
    colours: Mapping[str, str] = {
        name: f"rgb({r},{g},{b})" for name, (r, g, b) in zip(names, material.classes.colours, strict=True)
    }
    folds = {
        "count": material.folds.k,
        "columns": list(range(material.folds.k)),
        "rows": tables.fold_rows(material),
        "notes": tables.fold_notes(),
    }
    compared, sizes = _gains(material), gains.size_rows(material.chosen.oof)
    calibration = tables.calibration_chart(paths.evaluate(material.selected.round_id) / "oof" / "calibration.csv")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            style=_asset("style.css"),
            script=_asset("page.js"),
            sections=_shown(gallery, gains=compared, sizes=sizes, calibration=calibration),
            gains=compared,
            sizes=sizes,
            calibration=calibration,
            calibration_error=read_json(paths.evaluate(material.selected.round_id) / "oof" / "metrics.json").get(
                "calibration_error"
            ),
            names=names,
            colours=colours,
            headline=_headline(material),
            facts=_facts(material),
            hero=max(gallery.best, key=lambda example: len(example.classes), default=None),
            chosen=_chosen(material),
            steps=_steps(material),
            test_known=any(step.test for step in material.steps),
            rounds=rounds,
            absent=words.absent_classes(shares, material.chosen.oof.per_class),
            classes=tables.class_rows(material, shares),
            mix_ups=words.mix_ups(confusion_CC, names),
            matrix=tables.matrix_rows(confusion_CC, names),
            gallery=gallery,
            crf=_crf(material, gallery),
            curves=tables.curve_blocks(material),
            folds=folds,
            files=_files(material),
        )
    )


def build_page(rounds: Sequence[str], models: Sequence[str], config: ReportConfig) -> str:
    """Read the artefacts of the working folder and make the page."""
    material = read_material(rounds, models)
    return render(material, build_gallery(material, config))
