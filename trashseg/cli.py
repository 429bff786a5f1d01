"""The `trashseg` command: the pipeline's steps on one's own files, without the pipeline.

Verbs are import paths that are resolved when called, so that `--help` imports neither torch nor pandas.
"""

import sys

from cyclopts import App

from trashseg.errors import run_command

VERBS: dict[str, str] = {
    "doctor": "trashseg.commands.doctor:doctor",
    "masks": "trashseg.commands.masks:masks",
    "to-coco": "trashseg.commands.to_coco:to_coco",
    "folds": "trashseg.commands.folds:folds",
    "oversample": "trashseg.commands.oversample:oversample",
    "copy-paste": "trashseg.commands.copy_paste:copy_paste",
    "preset": "trashseg.commands.preset:preset",
    "register": "trashseg.commands.register:register",
    "train": "trashseg.commands.train:train",
    "lr-find": "trashseg.commands.lr_find:lr_find",
    "predict": "trashseg.commands.predict:predict",
    "ensemble": "trashseg.commands.ensemble:ensemble",
    "export": "trashseg.commands.export:export",
    "refine": "trashseg.commands.refine:refine",
    "evaluate": "trashseg.commands.evaluate:evaluate",
    "submission": "trashseg.commands.submission:submission",
    "check-submission": "trashseg.commands.submission:check_submission",
    "read-submission": "trashseg.commands.submission:read_submission",
    "label-noise": "trashseg.commands.label_noise:label_noise",
}
"""Verb -> `module:function`; the function's docstring is its help."""

app = App(name="trashseg", help="Litter segmentation on your own files. Every verb explains its flags with --help.")
for verb, function in VERBS.items():
    app.command(function, name=verb)


def main() -> None:
    """Entry point: user errors end as one sentence and exit code 2."""
    if sys.argv[1:] in ([], ["--help"], ["-h"]):  # a verb's line in the list is its docstring's: load them
        for verb in VERBS:
            _ = app[verb].default_command
    run_command(app)


if __name__ == "__main__":
    main()
