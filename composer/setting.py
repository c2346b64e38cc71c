"""Settings of blocks: what the catalogue says of them, as kinds of the document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from composer.block import Block, Setting
from composer.errors import Place, Problem, nearest
from composer.kinds import COMPUTED, Anything, Choice, Flag, Kind, Number, Rule, Text, is_computed
from composer.limits import LARGEST_SETTING
from composer.records import ListOf, OrNull
from composer.tree import Leaf, Node, Problems, as_node


@dataclass(frozen=True)
class Items(Kind):
    """A list, or an expression that gives one."""

    expects = "a list"

    def check(self, node: Node, path: str, problems: Problems) -> None:
        if not (isinstance(node, Leaf) and is_computed(node.value)):
            _LIST.check(node, path, problems)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [_LIST.schema(), COMPUTED]}


_LIST = ListOf(Anything(), at_least=0)


def setting_kind(setting: Setting) -> Kind:
    """The kind that a setting's type, choices and range make."""
    kind: Kind
    if setting.choices:
        kind = Choice(tuple(setting.choices), computed=True)
    elif setting.type in ("int", "float"):
        kind = Number(setting.low, setting.high, whole=setting.type == "int")
    elif setting.type == "bool":
        kind = Flag()
    elif setting.type == "str" and setting.examples:
        kind = Rule(tuple(dict.fromkeys(str(example).partition("(")[0] for example in setting.examples)))
    elif setting.type == "str":
        kind = Text(may_be_empty=True)
    elif setting.type == "list":
        kind = Items()
    else:
        return Anything()
    return OrNull(kind) if setting.optional else kind


def check_setting(block: Block, name: str, value: Any, place: Place) -> Problem | None:
    """What is wrong with the plain `value` of a setting, or None. A text that starts with `=` is not judged yet."""
    setting = block.setting(name)
    if setting is None:
        return unknown_setting(block, name, place)
    if is_computed(value):
        return None
    problems = Problems()
    setting_kind(setting).check(as_node(value, place), f"'{name}' of {block.name}", problems)
    if not problems and setting.type == "int" and isinstance(value, int) and abs(value) > LARGEST_SETTING:
        problems.add(f"'{name}' of {block.name}: {value} is too large", place, f"use at most {LARGEST_SETTING}")
    return problems[0] if problems else None


def unknown_setting(block: Block, name: str, place: Place, others: tuple[str, ...] = ()) -> Problem:
    """The problem that `block` has no setting `name`; `others` are names that may stand there too."""
    names = [setting.name for setting in block.settings]
    remedy = nearest(name, [*names, *others]) if names else f"{block.name} has no settings"
    if remedy.startswith("known here"):
        remedy = "it has " + ", ".join(names)
    return Problem(f"no setting of {block.name} named '{name}'", place, remedy)


def about_setting(setting: Setting) -> str:
    """A line for editors: what it is and what it is without being given."""
    kind = setting_kind(setting).expects if setting.type != "any" or setting.choices else "any value"
    return f"{kind}; " + ("must be given" if setting.required else f"{setting.default!r} when left out")
