"""The flow `ablation`: each technique switched off in turn, and what that cost, with intervals.

A variant is a run of `full-pipeline` in this checkout with a few values of
params.yaml changed, up to `select`: what it has in common with the others
DVC's run cache gives back, and its outcome is kept as a DVC experiment. At the
end the checkout is as it was. See docs/decisions/ablation.md.
"""

import argparse
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from prefect import State, flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from pydantic import Field

from flows.command_line import finish, parse_settings
from flows.full_pipeline import full_pipeline, put_params
from flows.locks import checkout_lock
from flows.outcomes import BAD_INPUT
from flows.parameters import Device, Overrides, Preset, Rounds, Trainings, all_overrides
from flows.processes import run
from flows.techniques import TECHNIQUES, variants
from trashseg import paths
from trashseg.config import load
from trashseg.errors import InputError, run_command
from trashseg.evaluation.intervals import Interval, compare
from trashseg.evaluation.selection import Candidate, read_candidate
from trashseg.io import read_json, write_json, write_text

Technique = Annotated[str, Field(json_schema_extra={"enum": [*TECHNIQUES]})]
Seed = Annotated[int, Field(ge=0, lt=2**31)]

WHOLE = "all techniques"
LAST = "select"
"""The stage at which variants end: what they are scored by is known."""
SCORES = {"miou": "mIoU", "miou_256": "mIoU on the 256 grid"}
OUT = paths.ARTIFACTS / "ablation"
SAMPLES = 2000


class NotFinished(Exception):
    """A variant's pipeline failed; `state` says how."""

    def __init__(self, variant: str, state: State[Any]) -> None:
        """`state` is the final state of the variant's run."""
        super().__init__(state.message)
        self.variant = variant
        self.state = state


def shipped(metric: str) -> Candidate:
    """The out-of-fold confusions of the round that `select` chose, as `metric` counts them."""
    round_id = str(read_json(paths.SELECT / "selected.json")["round"])
    return read_candidate(paths.evaluate(round_id) / "oof", round_id, metric)


def stacked(candidates: Sequence[Candidate]) -> Candidate:
    """One candidate over the photos of every seed; a photo's groups are drawn together across seeds."""
    return Candidate(
        candidates[0].round_id,
        candidates[0].step,
        np.concatenate([candidate.confusions for candidate in candidates]),
        np.concatenate([candidate.ids for candidate in candidates]),
        [group for candidate in candidates for group in candidate.groups],
    )


def verdict(gain: Interval) -> str:
    """What an interval says of a technique, in a word."""
    if gain.as_list() == [0, 0]:
        return "changes nothing"
    if gain.includes_zero():
        return "unclear"
    return "helps" if gain.value > 0 else "hurts"


def row(technique: str, overrides: Mapping[str, Any], whole: Candidate, without: Candidate) -> dict[str, Any]:
    """What a technique is worth: mIoU with everything minus mIoU without it, on the same photos."""
    if not np.array_equal(whole.ids, without.ids):
        raise InputError(f"without {technique} other photos were scored; they do not compare")
    found = compare(without.confusions, whole.confusions, np.random.default_rng(0), whole.groups, SAMPLES)
    gain = found.gain
    return {
        "technique": technique,
        "worth": gain.value,
        "interval": gain.as_list(),
        "p_value": found.p_value,
        "verdict": verdict(gain),
        "miou_without": without.miou,
        "switched_off_by": dict(overrides),
    }


def shown(rows: Sequence[Mapping[str, Any]], miou: float) -> list[dict[str, str]]:
    """The rows for people, the most valuable technique first."""
    cells = [{"technique": WHOLE, "without it": f"{miou:.4f}", "worth": "", "95 %": "", "p": "", "verdict": ""}]
    for each in sorted(rows, key=lambda each: -float(each["worth"])):
        low, high = each["interval"]
        cells.append(
            {
                "technique": each["technique"],
                "without it": f"{each['miou_without']:.4f}",
                "worth": f"{each['worth']:+.4f}",
                "95 %": f"{low:+.4f} to {high:+.4f}",
                "p": f"{each['p_value']:.3f}" if each["p_value"] >= 0.001 else "< 0.001",
                "verdict": each["verdict"],
            }
        )
    return cells


def markdown(cells: Sequence[Mapping[str, str]]) -> str:
    """A table as Markdown."""
    heads = list(cells[0])
    lines = [heads, ["---"] * len(heads), *([each[head] for head in heads] for each in cells)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def keep_experiment(name: str) -> None:
    """Save the checkout as a DVC experiment: `dvc exp show` lists it, `dvc exp apply` brings it back.

    Without a target DVC would commit the stages behind `select`, too, with whatever outputs an earlier run left.
    """
    logger = get_run_logger()
    saved = run(["dvc", "exp", "save", "--force", "--name", name, LAST], logger.debug)
    if saved.code:
        logger.warning("not kept as a DVC experiment: %s", saved.tail[-1] if saved.tail else "dvc exp save failed")


def run_variant(label: str, seed: int | None, asked: Mapping[str, Any], overrides: Mapping[str, Any]) -> None:
    """The pipeline with some values changed, as a subflow named for them."""
    seeded = {} if seed is None else {"seed": seed}
    name = label if seed is None else f"{label}, seed {seed}"
    pipeline = full_pipeline.with_options(flow_run_name=name)
    state = pipeline(**asked, overrides={**overrides, **seeded}, until=[LAST], return_state=True)
    if not state.is_completed():
        raise NotFinished(name, state)
    keep_experiment("ablation-" + name.replace(",", "").replace(" ", "-"))


def run_name() -> str:
    """`ablation real`."""
    return f"ablation {flow_run.parameters.get('preset') or 'params.yaml'}"


@flow(name="ablation", flow_run_name=run_name, validate_parameters=True)
def ablation(
    preset: Preset | None = None,
    overrides: Overrides | None = None,
    rounds: Rounds | None = None,
    techniques: list[Technique] | None = None,
    seeds: list[Seed] | None = None,
    metric: Literal["miou", "miou_256"] = "miou",
    devices: list[Device] | None = None,
    trainings: Trainings = 0,
    where: Literal["here", "workers"] = "here",
) -> State[Any]:
    """Switch each technique of the pipeline off in turn and measure what it was worth, out of fold.

    Args:
        preset: A file of presets/ to start from; none: params.yaml as it is.
        overrides: Single values over it, by dotted key, such as {"train.epochs": 20}.
        rounds: How many rounds of pseudo labels; none: as the preset says.
        techniques: Which techniques; none: all that are in use.
        seeds: Repeat everything with each of these seeds; none: the preset's own, once.
        metric: mIoU at full size, or on the contest's 256 grid.
        devices: CUDA devices to train on; none: all there are.
        trainings: Without CUDA devices, how many trainings share the cores; 0: two.
        where: Here, or each stage as a run of the deployment stage/gpu.

    Returns:
        A state whose message names the table: artifacts/ablation/table.md and table.json.
    """
    logger = get_run_logger()
    base = all_overrides(overrides, rounds)
    asked = {"preset": preset, "devices": devices, "trainings": trainings, "where": where}
    with checkout_lock(logger.info):
        try:
            put_params(preset, base, logger.info)
            off = variants(load(), techniques or ())
        except InputError as error:
            return Failed(name=BAD_INPUT, message=str(error))
        logger.info("%d techniques, one after another: %s", len(off), ", ".join(off))
        scored: dict[str, list[Candidate]] = {name: [] for name in (WHOLE, *off)}
        every_seed: Sequence[int | None] = seeds or [None]
        try:
            for seed in every_seed:
                for name in scored:
                    label = WHOLE if name == WHOLE else f"without {name}"
                    run_variant(label, seed, asked, {**base, **off.get(name, {})})
                    scored[name].append(shipped(metric))
            run_variant(WHOLE, every_seed[0], asked, base)  # from the run cache: the checkout ends with it
            whole = stacked(scored.pop(WHOLE))
            rows = [row(name, off[name], whole, stacked(found)) for name, found in scored.items()]
        except NotFinished as failed:
            return Failed(name=failed.state.name, message=f"{failed.variant}: {failed.state.message}")
        except InputError as error:
            return Failed(name=BAD_INPUT, message=str(error))
        finally:
            put_params(preset, base, logger.info)
    return publish(rows, whole, seeds, metric)


def publish(
    rows: Sequence[Mapping[str, Any]], whole: Candidate, seeds: Sequence[int] | None, metric: str
) -> State[Any]:
    """Write the table, and show it in Prefect's pages."""
    cells = shown(rows, whole.miou)
    write_json(OUT / "table.json", {"metric": metric, "miou": whole.miou, "seeds": seeds, "techniques": rows})
    write_text(OUT / "table.md", markdown(cells))
    create_table_artifact(
        table=cells, key="ablation", description=f"What each technique is worth ({SCORES[metric]}, out of fold)"
    )
    get_run_logger().info("\n%s", markdown(cells))
    return Completed(message=f"{len(rows)} techniques measured: {OUT / 'table.md'}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m flows.ablation", description="Measure what each technique is worth."
    )
    parser.add_argument("--preset", metavar="NAME", help="a file of presets/ to start from")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as: --set train.epochs=5")
    parser.add_argument(
        "--techniques", nargs="+", metavar="NAME", help=f"of {', '.join(TECHNIQUES)}; default: all in use"
    )
    parser.add_argument("--seeds", nargs="+", type=int, metavar="N", help="repeat with each of these seeds")
    parser.add_argument("--metric", choices=["miou", "miou_256"], default="miou", help="full size, or the 256 grid")
    parser.add_argument("--trainings", type=int, default=0, metavar="N", help="trainings side by side on the CPU")
    return parser.parse_args()


def main() -> None:
    """Run the flow in this process."""
    given = vars(_arguments())
    overrides = parse_settings(given.pop("set"))
    finish(ablation, **given, overrides=overrides)


if __name__ == "__main__":
    run_command(main)
