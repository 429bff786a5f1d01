"""A cache that forgets what was used longest ago when its bytes run out: memory stays flat however many images."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class ByteCache(Generic[Value]):
    """Keeps values by key within `budget_bytes`; a value larger than that is not kept at all."""

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self.used_bytes = 0
        self._kept: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self.used_bytes = 0

    def get(self, key: Hashable, make: Callable[[], Value], size_bytes: Callable[[Value], int]) -> Value:
        """The value of `key`, made if it is not here."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key][0]
        value = make()
        size = size_bytes(value)
        if size <= self.budget_bytes:
            self._kept[key] = value, size
            self.used_bytes += size
            while self.used_bytes > self.budget_bytes:
                self.used_bytes -= self._kept.popitem(last=False)[1][1]
        return value
