"""A flow as a command: run in this process, with a server of its own where none is set, ended with an exit code."""

import sys
from collections.abc import Sequence
from typing import Any

from flows.outcomes import BAD_INPUT
from flows.parameters import parse_setting
from flows.stages import USER_ERROR
from flows.temporary_server import TemporaryServer


def parse_settings(texts: Sequence[str]) -> dict[str, Any]:
    """`--set KEY=VALUE` arguments as overrides of params.yaml."""
    return dict(parse_setting(text) for text in texts)


def finish(flow: Any, **asked: Any) -> Any:
    """Run a flow to its end and print what its final state says; a failure exits with 1, bad input with 2."""
    server = TemporaryServer()
    with server.used():
        state = flow(**asked, return_state=True)
    if not state.is_completed():
        print(f"error: {state.message}", file=sys.stderr)
        raise SystemExit(USER_ERROR if state.name == BAD_INPUT else 1)
    if state.message:
        print(state.message)
    return state
