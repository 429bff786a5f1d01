"""One module per stage of dvc.yaml, under the stage's name; `python -m tasks.masks` runs it.

A task reads files and params, calls `trashseg`, and writes files. It knows
neither Prefect nor DVC.
"""
