"""The form of one network: a block with its settings, a chain of layers, or a graph of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from composer.block import Block, catalogue, find_block
from composer.errors import closest, nearest
from composer.kinds import Anything, Choice, Expression, Flag, Kind, Rule, Text, is_computed, said, wrong
from composer.records import Either, Field, ListOf, MapOf, Record
from composer.setting import about_setting, check_setting, setting_kind, unknown_setting
from composer.tree import Leaf, Mapping, Node, Problems, plain, shortened

TARGET = r"[A-Za-z_]\w*(\[\s*\w+(\s*,\s*\w+)*\s*\])?"  # a name, or an indexed name
NAME = rf"^\s*{TARGET}\s*$"
NAMES = rf"^\s*{TARGET}(\s*,\s*{TARGET})*\s*$"
NAME_WORDS = "a name (letters, digits and _) or an indexed name such as x[d]"
STARTS = ("normal", "xavier", "kaiming", "he", "orthogonal", "default")  # laws of `composer.blocks.initialize`

# What every network may say, whatever its form.
COMMON: dict[str, Field] = {
    "init": Field(Rule(STARTS), "how its weights start: normal(0.02), xavier(0.02), kaiming, orthogonal, default"),
    "frozen": Field(Flag(), "true: never trained, and in eval mode"),
    "weights": Field(Text("a path"), "a file its weights are read from, relative to the graph file"),
    "mode": Field(Choice(("train", "eval"), computed=True), "the mode it runs in, when not training mode"),
}
_LAYER = Expression("a layer such as conv(64, kernel=7)")
_CHAIN = Record(
    {"chain": Field(ListOf(_LAYER, "a list of layers"), "layers, one after the other", True)} | COMMON,
    what="a network",
    noun="entry of a chain",
)
_WIRED = Record(
    {
        "inputs": Field(
            Either(Text("names: x, style"), ListOf(Text("a name"), "a list of names")), "what it is called with", True
        ),
        "values": Field(
            MapOf(Expression(), "a mapping of names to expressions", NAMES, NAME_WORDS, 1),
            "its data flow; layer blocks own weights at each call",
            True,
        ),
        "output": Field(Expression(), "what a call gives; several: u, v", True),
        "entries": Field(
            MapOf(Expression(), "a mapping of names to expressions", r"^[A-Za-z_]\w*$", "a name", 1),
            "other entry points, NAME.ENTRY(x): what each gives; only what it needs is run",
        ),
    }
    | COMMON,
    what="a network",
    noun="entry of a wired network",
)


@dataclass(frozen=True)
class NetworkKind(Kind):
    """`{block: ...}`, `{chain: ...}` or `{inputs, values, output}`."""

    @property
    def expects(self) -> str:
        return "a mapping such as {block: unet, out: 3}"

    def check(self, node: Node, path: str, problems: Problems) -> None:
        if not isinstance(node, Mapping):
            name = node.value if isinstance(node, Leaf) else None
            if isinstance(name, str) and find_block(name):
                fact = f"expected {self.expects}, found the text '{name}'"
                problems.add(said(path, fact), node.place, f"write {{block: {name}}}")
            else:
                wrong(path, self, node, problems)
        elif "block" in node:
            self.check_block(node, path, problems)
        elif "chain" in node:
            _CHAIN.check(node, path, problems)
        elif "values" in node or "output" in node:
            _WIRED.check(node, path, problems)
        else:
            for key, value in node:
                form = _meant_form(key.text, value)
                if form and form not in node:
                    fact = f"unknown key '{shortened(key.text)}'"
                    return problems.add(said(path, fact), key.place, f"did you mean '{form}'?")
            remedy = "give it a block:, a chain: of layers, or inputs:, values: and output:"
            problems.add(said(path, "this network has no form"), node.place, remedy)

    def check_block(self, node: Mapping, path: str, problems: Problems) -> None:
        named = node.get("block")
        block = find_network_block(named, path, problems)
        for key, value in node:
            if key.text in COMMON and (block is None or block.setting(key.text) is None):
                COMMON[key.text].kind.check(value, f"{path}.{key.text}", problems)
            elif key.text in ("chain", "output") and (block is None or block.setting(key.text) is None):
                problems.add(said(path, f"'{key.text}' beside 'block'"), key.place, "a network has one form")
            elif block is not None and key.text != "block":
                if block.setting(key.text) is None:
                    problems.append(unknown_setting(block, shortened(key.text), key.place, tuple(COMMON)))
                    continue
                problem = check_setting(block, key.text, plain(value), value.place)
                if problem:
                    problems.append(problem)
        if block is not None and named is not None:
            for setting in block.settings:
                if setting.required and setting.name not in node:
                    remedy = f"{setting.name}: {about_setting(setting)}"
                    problems.add(said(path, f"{block.name} needs '{setting.name}'"), named.place, remedy)

    def child(self, key: str) -> Kind | None:
        return Anything()  # which settings there are depends on the block; they are checked when all is merged

    def schema(self) -> dict[str, Any]:
        return {"$ref": "#/definitions/network"}


def _meant_form(key: str, value: Node) -> str:
    """The key that gives a network its form and is like `key`, when its value would fit."""
    if isinstance(value, Leaf):
        text = value.value if isinstance(value.value, str) else ""
        return "block" if find_block(text) else closest(key, ("block", "inputs", "output"))
    return closest(key, ("values",) if isinstance(value, Mapping) else ("chain", "inputs"))


def find_network_block(node: Node | None, path: str, problems: Problems) -> Block | None:
    """The block that a network names, or None when that is a problem, which is reported, or not known yet."""
    if not isinstance(node, Leaf) or not isinstance(node.value, str):
        if node is not None:
            wrong(f"{path}.block", Text("the name of a block"), node, problems)
        return None
    name = node.value
    if is_computed(name):
        return None  # a param chooses among blocks; settings are checked when it has been evaluated
    block = find_block(name)
    if block is None:
        modules = [entry.name for entry in catalogue().values() if entry.role == "module"]
        problems.add(
            f"unknown block '{shortened(name)}'", node.place, nearest(name, modules) or "see `composer blocks`"
        )
    elif block.role != "module":
        remedy = f"call it where values are made: {name}(...)"
        problems.add(f"'{name}' is a {block.role} block and owns no weights to train", node.place, remedy)
        return None
    return block


def network_definitions() -> dict[str, Any]:
    """JSON Schema of a network and of every block that can be one."""
    blocks = sorted((b for b in catalogue().values() if b.role == "module"), key=lambda b: b.name)
    definitions = {f"block_{block.name}": _block_schema(block) for block in blocks}
    by_name = [
        {
            "if": {"properties": {"block": {"const": block.name}}, "required": ["block"]},
            "then": {"$ref": f"#/definitions/block_{block.name}"},
        }
        for block in blocks
    ]
    definitions |= {f"option_{name}": entry.schema() for name, entry in COMMON.items()}
    definitions["chain_network"] = _CHAIN.schema()
    definitions["wired_network"] = _WIRED.schema()
    definitions["network"] = {
        "type": "object",
        "properties": {
            "block": {"type": "string", "description": "what it is made of: a block of the catalogue, or =param"},
            "chain": {"description": "layers, one after the other"},
            "inputs": {"description": "what it is called with, when its values are written here"},
        },
        "if": {"required": ["block"]},
        "then": {"allOf": by_name},
        "else": {
            "if": {"required": ["chain"]},
            "then": {"$ref": "#/definitions/chain_network"},
            "else": {"$ref": "#/definitions/wired_network"},
        },
    }
    return definitions


def network_block_names() -> list[str]:
    return sorted(block.name for block in catalogue().values() if block.role == "module")


def _block_schema(block: Block) -> dict[str, Any]:
    properties: dict[str, Any] = {"block": {"const": block.name, "description": block.doc}}
    for setting in block.settings:
        properties[setting.name] = setting_kind(setting).schema() | {"description": about_setting(setting)}
        if not setting.required and setting.default is not None:
            properties[setting.name]["default"] = setting.default
        if setting.examples:
            properties[setting.name]["examples"] = list(setting.examples)
    properties = {name: {"$ref": f"#/definitions/option_{name}"} for name in COMMON} | properties
    required = ["block", *(setting.name for setting in block.settings if setting.required)]
    about = f"{block.signature}\n\n{block.doc}".strip()
    return {
        "description": about,
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
