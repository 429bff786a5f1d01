"""Who may run when: GPU stages lease a device; without GPUs trainings share the cores evenly.

Every stage takes some of the machine's cores for as long as it runs, first
come, first served, and is told how many threads that is. So two trainings on
two cores do not fight with two threads each.
"""

import os
import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def visible_devices() -> tuple[str, ...]:
    """The CUDA devices stages may use: `CUDA_VISIBLE_DEVICES` where set, else all that nvidia-smi lists."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return tuple(device.strip() for device in given.split(",") if device.strip() not in ("", "-1"))
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(str(index) for index, line in enumerate(listed.splitlines()) if line.startswith("GPU"))


class Slots:
    """The machine's cores and devices, leased to stages in the order they ask."""

    def __init__(self, trainings: int, devices: Sequence[str], total_cores: int) -> None:
        """`trainings` GPU-pool stages run side by side where there is no device; with devices, one on each."""
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()
        self._devices = list(devices)
        self._gpu = bool(devices)
        self._free = total_cores
        self.cores = total_cores
        self.trainings = len(devices) if devices else min(trainings, total_cores)

    def _share(self, pool: str) -> int:
        """The cores a stage takes. Beside GPUs one share stays free, so that stages without a device do not starve."""
        if pool != "gpu":
            return 1
        return max(1, self.cores // (self.trainings + 1 if self._gpu else self.trainings))

    @contextmanager
    def lease(self, pool: str) -> Iterator[dict[str, str]]:
        """Wait for room, and give the environment that tells a command its threads and its device."""
        share, needs_device, ticket = self._share(pool), pool == "gpu" and self._gpu, object()
        device = None
        with self._changed:
            self._waiting.append(ticket)
            try:
                self._changed.wait_for(
                    lambda: (
                        self._waiting[0] is ticket and self._free >= share and (bool(self._devices) or not needs_device)
                    )
                )
                self._free -= share
                device = self._devices.pop(0) if needs_device else None
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        try:
            yield self._environment(share, device)
        finally:
            with self._changed:
                self._free += share
                if device is not None:
                    self._devices.append(device)
                self._changed.notify_all()

    def _environment(self, share: int, device: str | None) -> dict[str, str]:
        environment = dict.fromkeys(THREAD_VARIABLES, str(share))
        if self._gpu:
            environment["CUDA_VISIBLE_DEVICES"] = device or ""
        return environment
