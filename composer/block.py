"""`@block` and the catalogue: how Python code becomes something a graph file can name.

A block states its contract in one string (see `composer.signature`). The catalogue keeps what the compiler
needs to know of it as plain data, so that a graph can be checked without importing torch: it is generated
into `schemas/catalogue.json` and read from there; blocks of a user are added when their file is run.
"""

from __future__ import annotations

import importlib
import inspect
import json
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from composer.arithmetic import evaluate_arithmetic
from composer.errors import ComposeError, nearest

Role = Literal["module", "function", "loss", "draw", "state", "collect"]
T = TypeVar("T")


@dataclass(frozen=True)
class Range:
    """Bounds of a number, both allowed: `width: Annotated[int, Range(1, 4096)]`."""

    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, init=False)
class Examples:
    """Values of a text or a list that its block knows: `activation: Annotated[str, Examples("relu", "none")]`.

    Editors offer them, and the laws of `composer.testing` try them. Of a text they show every name that it may have
    (`leaky_relu(0.2)` is the name `leaky_relu`); other names are refused.
    """

    values: tuple[Any, ...]

    def __init__(self, *values: Any) -> None:
        object.__setattr__(self, "values", values)


@dataclass(frozen=True)
class Setting:
    """A setting of a block: what stands after the star of its constructor (or after a function's tensors)."""

    name: str
    type: str  # int | float | bool | str | list | any
    required: bool = False
    default: Any = None
    choices: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    optional: bool = False  # None is a value of it
    examples: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Block:
    """What the catalogue knows of a block. `signature` and `entries` are contracts, `axes` what shapes bind."""

    name: str
    role: Role
    signature: str
    module: str
    qualname: str
    axes: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    entries: Mapping[str, str] = field(default_factory=dict)
    doc: str = ""
    per_sample: bool | str = True  # rows do not influence each other; a text says with which settings
    draws: bool = False  # draws random numbers inside (dropout)
    maps: bool = False  # maps over lists given for its tensors
    parts: tuple[str, ...] = ()
    laws: tuple[str, ...] = ()  # of a loss, see `composer.testing.contracts.losses`
    below: str = ""  # what the whole numbers it takes are below, arithmetic over settings and axes

    def setting(self, name: str) -> Setting | None:
        return next((s for s in self.settings if s.name == name), None)

    def is_per_sample(self, settings: Mapping[str, Any]) -> bool:
        """Whether, with these settings (all of them), the rows of a batch do not influence each other."""
        if isinstance(self.per_sample, bool):
            return self.per_sample
        return bool(evaluate_arithmetic(self.per_sample, settings))

    def load(self) -> Any:
        """The Python object itself; this is where torch comes in."""
        if self.name in _OBJECTS:
            return _OBJECTS[self.name]
        return getattr(importlib.import_module(self.module), self.qualname)


_OBJECTS: dict[str, Any] = {}
_BLOCKS: dict[str, Block] = {}
_bundled_loaded = False
_entry_points_loaded = False


def block(
    signature: str,
    *,
    entries: Mapping[str, str] | None = None,
    role: Role | None = None,
    per_sample: bool | str = True,
    draws: bool = False,
    maps: bool = False,
    parts: tuple[str, ...] = (),
    laws: tuple[str, ...] = (),
    below: str = "",
    name: str | None = None,
) -> Callable[[T], T]:
    """Register a class (an `nn.Module`) or a function as a block of the language.

    `signature`: its contract, e.g. `"image[b c h w], style[b s] -> image[b {out} h*2 w*2]"`. For a class the
    constructor's positional arguments are axes that shapes bind, keyword-only arguments are settings. For a
    function the first arguments are the tensors of the signature, all others settings.
    `entries`: other methods that a graph may call on it, with their contracts (`{"inverse": "..."}`).
    `per_sample`: rows of a batch do not influence each other (a loss: it is the mean of what its rows give);
    a text says with which settings, `"norm != 'batch'"`. `draws`: it draws random numbers inside.
    `maps`: a list given for its tensors is mapped over. `parts`: names of groups of its parameters that an
    optimizer may treat apart; the class then has `part(name) -> list of parameters`. `laws`: what holds for a
    loss, in the words of `composer.testing.contracts.losses`. `below`: the whole numbers it is given are 0 to this - 1.

    >>> @block("image[b c h w] -> image[b c h w]")
    ... def invert(image):
    ...     return -image
    """

    def register(target: T) -> T:
        found = replace(
            describe(target, signature, entries or {}, role, name),
            per_sample=per_sample,
            draws=draws,
            maps=maps,
            parts=tuple(parts),
            laws=tuple(laws),
            below=below,
        )
        previous = _BLOCKS.get(found.name)
        if previous is not None and (previous.module, previous.qualname) != (found.module, found.qualname):
            raise ComposeError(
                f"block '{found.name}' of {found.module} is already registered by {previous.module}",
                remedy="give one of them another name: @block(..., name='...')",
            )
        _BLOCKS[found.name] = found
        _OBJECTS[found.name] = target
        return target

    return register


def describe(
    target: Any,
    signature: str,
    entries: Mapping[str, str],
    role: Role | None,
    name: str | None,
) -> Block:
    """Read what a block's Python says of it: its axes, its settings, its docstring."""
    from composer.signature import parse_signature

    contract = parse_signature(signature)
    for text in entries.values():
        parse_signature(text)
    is_class = inspect.isclass(target)
    function = target.__init__ if is_class else target
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    if is_class:  # of nn.Module's own constructor, where a class has none: (*args, **kwargs)
        variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        parameters = [p for p in parameters if p.kind not in variable]
    axes: tuple[str, ...] = ()
    if is_class or role == "state":
        positional = [p for p in parameters if p.kind is not inspect.Parameter.KEYWORD_ONLY]
        axes = tuple(p.name for p in positional)
        own = [p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
    else:
        variadic = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)
        own = [p for p in parameters if p.kind is not inspect.Parameter.VAR_POSITIONAL]
        if not variadic:
            own = own[len(contract.inputs) :]
        own = [p for p in own if p.name not in ("generator", "device", "dtype")]
    return Block(
        name=name or _snake(target.__name__),
        role=role or ("module" if is_class else "function"),
        signature=signature,
        module=target.__module__,
        qualname=target.__qualname__,
        axes=axes,
        settings=tuple(_setting(p, hints.get(p.name, Any)) for p in own),
        entries=dict(entries),
        doc=inspect.getdoc(target) or "",
    )


def _snake(name: str) -> str:
    if name.islower():
        return name
    out = ""
    for i, letter in enumerate(name):
        out += ("_" if i and letter.isupper() and not name[i - 1].isupper() else "") + letter.lower()
    return out


def _setting(parameter: inspect.Parameter, hint: Any) -> Setting:
    low = high = None
    choices: tuple[Any, ...] = ()
    examples: tuple[Any, ...] = ()
    optional = False
    if typing.get_origin(hint) is typing.Annotated:
        base, *extras = typing.get_args(hint)
        for extra in extras:
            if isinstance(extra, Range):
                low, high = extra.low, extra.high
            elif isinstance(extra, Examples):
                examples = extra.values
        hint = base
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        options = [a for a in typing.get_args(hint) if a is not type(None)]
        optional = len(options) < len(typing.get_args(hint))
        hint = options[0] if len(options) == 1 else Any
    if typing.get_origin(hint) is Literal:
        choices = typing.get_args(hint)
        hint = type(choices[0])
    if typing.get_origin(hint) in (list, tuple, typing.Sequence):
        hint = list
    type_name = hint.__name__ if hint in (int, float, bool, str, list) else "any"
    required = parameter.default is inspect.Parameter.empty
    default = None if required else parameter.default
    if isinstance(default, tuple):
        default = list(default)
    return Setting(parameter.name, type_name, required, default, choices, low, high, optional, examples)


def catalogue() -> Mapping[str, Block]:
    """Every block by name: the bundled ones from the generated file, then those a user's file added."""
    global _bundled_loaded
    if not _bundled_loaded:
        _bundled_loaded = True
        path = Path(__file__).parent / "schemas" / "catalogue.json"
        if path.exists():
            for item in json.loads(path.read_text(encoding="utf-8")):
                _BLOCKS.setdefault(item["name"], block_from_json(item))
    return _BLOCKS


def block_from_json(item: dict[str, Any]) -> Block:
    tuples: dict[str, Any] = {key: tuple(item[key]) for key in ("axes", "parts", "laws") if key in item}
    settings = []
    for one in item["settings"]:
        lists = {key: tuple(one.get(key, ())) for key in ("choices", "examples")}
        settings.append(Setting(**(one | lists)))
    found: dict[str, Any] = {**item, **tuples, "settings": tuple(settings)}
    return Block(**found)


def block_to_json(entry: Block) -> dict[str, Any]:
    """Plain data for the generated catalogue."""
    return asdict(entry)


def find_block(name: str) -> Block | None:
    """The block called `name`, or None. Installed packages are asked (entry points) when nobody else knows it."""
    global _entry_points_loaded
    found = catalogue().get(name)
    if found is None and not _entry_points_loaded:
        _entry_points_loaded = True
        from importlib.metadata import entry_points

        for entry in entry_points(group="composer.blocks"):
            try:
                entry.load()
            except Exception as error:  # a foreign package may fail in any way
                words = error.fact if isinstance(error, ComposeError) else f"{type(error).__name__}: {error}"
                remedy = "mend or uninstall the package that offers it"
                raise ComposeError(f"the blocks of '{entry.value}' cannot be loaded: {words}", remedy=remedy) from None
        found = catalogue().get(name)
    return found


def look_up(name: str) -> Block:
    """The block called `name`; a `ComposeError` with the nearest name when there is none."""
    found = find_block(name)
    if found is None:
        raise ComposeError(f"unknown block '{name}'", remedy=nearest(name, catalogue()))
    return found
