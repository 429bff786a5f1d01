"""The names of final states: a state says what happened, not only that all is well."""

CACHED, RESTORED, REPRODUCED = "Cached", "Restored", "Reproduced"
"""A stage: nothing to do; taken from the run cache or the remote; run."""

BAD_INPUT = "BadInput"
"""Failed, and nothing but the user's input is to blame."""

NOTHING_NEW, CHAMPION, NOT_BETTER = "NothingNew", "Champion", "NotBetter"
"""`predict-batch` and `retrain`."""

OURS = (CACHED, RESTORED, REPRODUCED, BAD_INPUT, NOTHING_NEW, CHAMPION, NOT_BETTER)
"""A run in one of these, or of Prefect's own final states, sends no more heartbeats: it has ended."""
