"""What to say when the memory did not suffice: what is set now, and what to lower."""

from __future__ import annotations

from composer.errors import ComposeError
from composer.nodes import Graph

_SMALLER = ("size", "width")  # params that many graphs have, by which memory grows with the square


def explain(graph: Graph, device: str) -> ComposeError:
    """The error for a run of `graph` on `device` that ran out of memory."""
    batch = graph.training.batch
    pictures = [f.args for s in graph.streams for f in s.fields if f.kind == "image"]
    set_now = f"batch {batch}"
    if pictures:
        largest = max(pictures, key=lambda sizes: sizes[-1] * sizes[-2])
        set_now += f", pictures of {' x '.join(str(n) for n in largest)}"
    lower = [f"--set training.batch={batch // 2}"] if batch > 1 else []
    for name in _SMALLER:
        value = graph.params.get(name)
        if isinstance(value, int) and value > 1:
            set_now += "" if name == "size" else f", {name} {value}"
            lower.append(f"--set params.{name}={value // 2}")
    remedy = f"lower one of these: {', '.join(lower)}" if lower else "use smaller pictures or narrower networks"
    if device == "cpu":
        remedy += "; each process of --workers needs memory too"
    return ComposeError(f"out of memory while training '{graph.name}' on {device} ({set_now})", remedy=remedy)
