"""Prefect flows over DVC's graph: the only place that imports prefect or dvc."""

from flows.environment import prepare

prepare()
