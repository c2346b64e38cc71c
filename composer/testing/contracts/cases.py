"""Random cases of a block: settings, sizes and values that its contract allows.

Sizes are drawn small. Where a block refuses them, by its contract or by running on tensors without data, they are
doubled until it takes them: a contract need not say the smallest size, but what it allows has to work from some size
on. Values depend on the kind of an input: `DOMAINS` has the kinds that are not just any number.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from composer.arithmetic import evaluate_arithmetic, parse_arithmetic
from composer.block import Block, Setting
from composer.randomness import seed_for
from composer.signature import INTEGER_KINDS, Port, Signature, Type, parse_signature
from composer.signature import Series as SeriesType
from composer.signature import Tensor as TensorType

# Bounds of the values of a kind, both allowed.
DOMAINS: Mapping[str, tuple[float, float]] = {
    "image": (-1.0, 1.0),
    "mask": (0.0, 1.0),
    "coin": (0.0, 1.0),
    "share": (0.0, 1.0),
    "target": (0.0, 1.0),
    "positive": (0.1, 1e4),
    "log_variance": (-50.0, 50.0),
}
# Kinds that choose, count or give a shape: no gradient is asked of them.
WITHOUT_GRADIENT = frozenset({"mask", "coin", "like", "rows"})
ROWS = "b"
LARGEST = 3  # how many whole numbers of a setting without bounds are tried


@dataclass(frozen=True)
class Case:
    """One draw: everything that `arguments` needs to make the tensors of a call."""

    block: Block
    settings: Mapping[str, Any]  # all of them, with those left out at their defaults
    sizes: Mapping[str, int] = field(default_factory=dict)
    rest: tuple[int, ...] = ()
    repeats: int = 2  # arguments of a variadic input, items of a list
    form: str = "list"  # of an input that is a list: list, tensor or nested
    optional: bool = True  # whether optional inputs are given
    seed: int = 0
    edges: bool = False  # settings with bounds may be at them, where there may be no gradient

    @property
    def signature(self) -> Signature:
        return parse_signature(self.block.signature)

    def generator(self, *name: Any) -> torch.Generator:
        return torch.Generator().manual_seed(seed_for(self.seed, *name))

    def __str__(self) -> str:
        given = ", ".join(f"{k}={v!r}" for k, v in self.settings.items())
        return f"{self.block.name}({given}), sizes {dict(self.sizes)}, further {self.rest}, seed {self.seed}"


@st.composite
def cases(draw: st.DrawFn, block: Block) -> Case:
    """Random cases of a block with settings that it does not forbid."""
    signature = parse_signature(block.signature)
    edges = draw(st.booleans()) if any(s.type == "float" for s in block.settings) else False
    settings = draw(
        st.fixed_dictionaries({s.name: setting_values(s, edges) for s in block.settings}).filter(
            lambda found: allows(signature, found)
        )
    )
    named = sorted({a.text for p in signature.inputs for a in p.axes or () if a.form == "name"} | {ROWS})
    sizes = draw(st.fixed_dictionaries({name: st.integers(1, 3) for name in named}))
    has_rest = any(a.form == "rest" for p in signature.inputs for a in p.axes or ())
    rest = draw(st.lists(st.integers(1, 3), max_size=2)) if has_rest else []
    many = signature.variadic or any(p.listed for p in signature.inputs)
    repeats = draw(st.integers(1, 3)) if many else 1
    forms = ["list", "nested", "tensor"] if any(p.listed for p in signature.inputs) else ["list"]
    optional = draw(st.booleans()) if signature.required < len(signature.inputs) and block.role != "draw" else True
    seed = draw(st.integers(0, 2**16))
    return Case(block, settings, sizes, tuple(rest), repeats, draw(st.sampled_from(forms)), optional, seed, edges)


def setting_values(setting: Setting, edges: bool = False) -> st.SearchStrategy[Any]:
    """Values of a setting: choices, small whole numbers, numbers within bounds (at them with `edges`), examples."""
    if setting.choices:
        found: st.SearchStrategy[Any] = st.sampled_from(setting.choices)
    elif setting.type == "bool":
        found = st.booleans()
    elif setting.type == "int":
        low = int(setting.low if setting.low is not None else 0)
        found = st.integers(
            low, low + LARGEST - 1 if setting.high is None else min(low + LARGEST - 1, int(setting.high))
        )
    elif setting.type == "float":
        found = st.sampled_from(_numbers(setting, edges))
    elif setting.examples:
        found = st.sampled_from(setting.examples)
    elif setting.required:
        raise AssertionError(
            f"nothing is known of the values of '{setting.name}': write Annotated[..., Examples(...)] with some"
        )
    else:
        return st.just(setting.default)
    return st.one_of(st.just(None), found) if setting.optional else found


def _numbers(setting: Setting, edges: bool) -> list[float]:
    low, high = setting.low, setting.high
    inner = [v for v in (0.25, 0.6, 1.5) if (low is None or v > low) and (high is None or v < high)]
    if not inner:  # narrow bounds
        inner = [((low or 0.0) + (high if high is not None else (low or 0.0) + 1)) / 2]
    at_bounds = [float(v) for v in (low, high) if v is not None] if edges else []
    return [*([] if setting.required else [setting.default]), *inner, *at_bounds]


def allows(signature: Signature, settings: Mapping[str, Any]) -> bool:
    """Whether the conditions of a contract that are about settings alone hold."""
    for condition in signature.conditions:
        words = {n.id for n in ast.walk(parse_arithmetic(condition)) if isinstance(n, ast.Name)}
        if words - {"min", "max", "len", "abs"} <= set(settings) and not evaluate_arithmetic(condition, settings):
            return False
    return True


# -- tensors ----------------------------------------------------------------------------------------------------


def arguments(case: Case, scale: int = 1, signature: Signature | None = None, salt: str = "") -> list[Any]:
    """The tensors of one call, float64; lists (maybe nested) for inputs that are lists."""
    signature = signature or case.signature
    axes = _axes(case, scale, signature)
    generator = case.generator("values", scale, salt)
    found: list[Any] = []
    for port in signature.inputs:
        if port.optional and not case.optional:
            break
        for _ in range(case.repeats if port.variadic else 1):
            if not port.listed or case.form == "tensor":
                found.append(_tensor(case, port, axes, scale, found, generator))
                continue
            items = [_tensor(case, port, axes, scale, found, generator) for _ in range(case.repeats)]
            found.append(items if case.form == "list" else [items, list(reversed(items))])
    return found


def _axes(case: Case, scale: int, signature: Signature) -> dict[str, int]:
    """A size for every named axis, with the multiples that the contract asks for; rows grow more slowly."""
    names: dict[str, Any] = dict(case.settings)
    ports = (*signature.inputs, *signature.outputs)
    spatial = {a.text for p in signature.inputs for a in (p.axes or ())[2:]}
    for name, size in case.sizes.items():
        # Heights and widths grow as far as is asked; rows and channels a little, so that tensors stay small.
        other = min(scale, 4) if scale <= 8 else 2
        names[name] = size * (scale if name in spatial else max(1, other // 2) if name == ROWS else other)
    multiples = dict.fromkeys(case.sizes, 1)
    for axis in (a for p in ports for a in p.axes or () if a.form == "name" and a.change in (":", "/")):
        multiples[axis.text] = math.lcm(multiples[axis.text], evaluate_arithmetic(axis.amount, names))
    for name, multiple in multiples.items():
        names[name] = math.ceil(names[name] / multiple) * multiple
    return {name: names[name] for name in case.sizes}


def _tensor(
    case: Case, port: Port, axes: Mapping[str, int], scale: int, before: list[Any], generator: torch.Generator
) -> Any:
    names = {**case.settings, **axes}
    if port.axes is None:
        sizes = _free_sizes(case, port, axes, before)
    else:
        sizes = []
        for axis in port.axes:
            if axis.form == "rest":
                sizes += [size * scale for size in case.rest]
            elif axis.form in ("unknown", "sum"):
                sizes.append(int(torch.randint(1, 4, (), generator=generator)) * scale)
            elif axis.form == "number":
                sizes.append(int(axis.text))
            elif axis.form == "expression":
                sizes.append(int(evaluate_arithmetic(axis.amount, names)))
            else:
                amount = evaluate_arithmetic(axis.amount, names) if axis.change in ("*", "/") else 1
                sizes.append(axes[axis.text] // amount if axis.change == "/" else axes[axis.text] * amount)
    if port.kind in INTEGER_KINDS:
        below = int(evaluate_arithmetic(case.block.below, names)) if case.block.below else 3
        return torch.randint(max(1, below), sizes, generator=generator)
    return real_values(port.kind, sizes, generator)


def _free_sizes(case: Case, port: Port, axes: Mapping[str, int], before: list[Any]) -> list[int]:
    """Sizes of an input whose contract says none: those of the first, one channel for a mask, a number a row."""
    if port.kind == "share":
        return [len(before[0])] if case.seed % 2 and before[0].dim() else []
    first = before[0] if before else None
    if isinstance(first, list):
        first = first[0][0] if isinstance(first[0], list) else first[0]
    if first is None:
        return [axes[ROWS], *case.rest]
    sizes = list(first.shape)
    return [sizes[0], 1, *sizes[2:]] if port.kind == "mask" and len(sizes) > 1 else sizes


def real_values(kind: str, sizes: list[int], generator: torch.Generator) -> Tensor:
    """Random float64 numbers of a kind. A mask has both values and something in every row; shares of rows add to 1."""
    even = torch.rand(sizes, generator=generator, dtype=torch.float64)
    if kind in ("mask", "coin"):
        found = (even > 0.5).to(torch.float64)
        if found.dim():
            (found if found.dim() == 1 else found.view(sizes[0], -1)[:, :1].T)[:1] = 1.0
        return found
    if kind == "share" and len(sizes) > 1:
        return even.softmax(1)
    if kind in DOMAINS and kind != "log_variance":
        low, high = DOMAINS[kind]
        return low + (min(high, low + 2) - low) * even
    return torch.randn(sizes, generator=generator, dtype=torch.float64)


def types_of(values: list[Any], signature: Signature) -> list[Type]:
    """What the compiler would say of these arguments."""
    ports = list(signature.inputs)
    spot = next((i for i, p in enumerate(ports) if p.variadic), None)
    if spot is not None:
        ports[spot : spot + 1] = [ports[spot]] * (len(values) - len(ports) + 1)
    return [_type_of(value, port.kind) for value, port in zip(values, ports, strict=False)]


def _type_of(value: Any, kind: str) -> Type:
    if isinstance(value, list):
        return SeriesType(tuple(_type_of(item, kind) for item in value))
    return TensorType(kind, tuple(value.shape))
