"""How many bytes of tensors are alive, counted while any code runs.

A storage counts from the operation that made it until nothing refers to it any more, be it a variable or what a
backward pass has kept. On the meta device nothing is computed and nothing is allocated, so the memory of a training
step is known in the time it takes to call its operations, also where the step itself would not fit. On a real device
the same count is what the step did.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

RESULTS = "results"  # the kind of whatever nobody has marked
INSIDE = "inside kernels"
Scratch = Callable[[Any, tuple[Any, ...], Any], int]


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the storages of one type of device. `live` is now, `peak` the most there was, both in bytes.

    `at_peak` says what the peak was made of, by the kinds that `mark` gave. Bytes are rounded up to multiples of
    `grain`, which is what an allocator hands out. `scratch(operation, arguments, result)` says how many bytes an
    operation uses inside, which no storage shows; they count for the peak, as if it ran when its result is there.
    Code that asks a meta tensor for a number is given 0: a program must go on, and memory hardly ever depends on it.
    """

    def __init__(self, device: str, *, grain: int = 1, scratch: Scratch | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.device, self.grain, self.scratch = device, grain, scratch
        self.live = self.peak = 0
        self.kinds: Counter[str] = Counter()
        self.at_peak: Counter[str] = Counter()
        self._known: dict[int, list[Any]] = {}  # storage -> [weak reference, bytes, kind]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default and args[0].device.type == "meta":
            return torch.zeros((), dtype=args[0].dtype).item()
        found = func(*args, **(kwargs or {}))
        for one in tree_leaves(found):
            if isinstance(one, Tensor) and one.device.type == self.device:
                self._see(one, RESULTS)
        if self.scratch is not None:
            self._note_peak(self.scratch(func, args, found))
        return found

    def mark(self, tensors: Iterable[Tensor], kind: str) -> None:
        """Say of what kind these tensors are; those that were there before are counted from now on."""
        for one in tensors:
            if one.device.type == self.device:
                entry = self._see(one, kind)
                self.kinds[entry[2]] -= entry[1]
                self.kinds[kind] += entry[1]
                entry[2] = kind

    def forget_peak(self) -> None:
        """Start the peak anew at what is alive now."""
        self.peak, self.at_peak = self.live, Counter(self.kinds)

    def _see(self, tensor: Tensor, kind: str) -> list[Any]:
        storage = tensor.untyped_storage()
        key = storage._cdata
        entry = self._known.get(key)
        if entry is None:
            entry = self._known[key] = [weakref.ref(storage, self._releaser(key)), 0, kind]
        size = -(-storage.nbytes() // self.grain) * self.grain
        if size != entry[1]:  # new, or grown in place
            self.live += size - entry[1]
            self.kinds[entry[2]] += size - entry[1]
            entry[1] = size
            self._note_peak()
        return entry

    def _note_peak(self, inside: int = 0) -> None:
        if self.live + inside > self.peak:
            self.peak, self.at_peak = self.live + inside, Counter(self.kinds)
            self.at_peak[INSIDE] += inside

    def _releaser(self, key: int) -> Callable[[Any], None]:
        def release(reference: Any) -> None:
            entry = self._known.pop(key, None)
            if entry is not None:
                self.live -= entry[1]
                self.kinds[entry[2]] -= entry[1]

        return release
