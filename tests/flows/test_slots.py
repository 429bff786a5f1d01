"""Devices and cores leased to stages: as many at a time as there are, each its own, in the order they ask."""

import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from flows.full_pipeline import full_pipeline
from flows.slots import Slots, visible_devices
from tests.flows.conftest import Toy


def most_at_once(slots: Slots, pools: list[str]) -> tuple[int, list[dict[str, str]]]:
    """Lease for all pools from threads of their own; the most leases held at once, and all environments."""
    lock, held, most, seen = threading.Lock(), 0, 0, []

    def work(pool: str) -> None:
        nonlocal held, most
        with slots.lease(pool) as environment:
            with lock:
                held += 1
                most = max(most, held)
                seen.append(environment)
            time.sleep(0.05)
            with lock:
                held -= 1

    threads = [threading.Thread(target=work, args=(pool,)) for pool in pools]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return most, seen


@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_training_on_each_device_at_a_time(count: int) -> None:
    devices = [str(i) for i in range(count)]
    most, seen = most_at_once(Slots(9, devices, 64), ["gpu"] * 6)
    assert most == count
    assert {environment["CUDA_VISIBLE_DEVICES"] for environment in seen} == set(devices)


def test_without_devices_trainings_share_the_cores() -> None:
    most, seen = most_at_once(Slots(2, [], 8), ["gpu"] * 4)
    assert most == 2 and all(environment["OMP_NUM_THREADS"] == "4" for environment in seen)
    assert "CUDA_VISIBLE_DEVICES" not in seen[0]


def test_a_stage_without_a_device_finds_room_beside_busy_ones() -> None:
    slots = Slots(9, ["0", "1"], 6)
    with ExitStack() as busy:
        for _ in range(2):
            busy.enter_context(slots.lease("gpu"))
        environment = busy.enter_context(slots.lease("cpu"))
        assert environment["CUDA_VISIBLE_DEVICES"] == "", "it must not take a device that is not its own"


def test_visible_devices_are_those_the_user_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-5a,-1")
    assert visible_devices() == ("2", "GPU-5a")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_devices() == ()


@pytest.mark.usefixtures("prefect_server")
def test_the_flow_trains_on_the_devices_it_is_given(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRASHSEG_TRACKING", "off")
    note = "import os; open('devices', 'a').write(os.environ['CUDA_VISIBLE_DEVICES'] + '\\n')\n"
    toy.write("train.py", note + toy.read("train.py"))
    full_pipeline(devices=["7", "GPU-8"], until=["train"])
    assert set(Path("devices").read_text().split()) == {"7", "GPU-8"}
