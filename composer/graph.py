"""Document -> Graph: names resolved, indices expanded, calls sorted by need, what nothing needs left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from composer.block import Block, catalogue, look_up
from composer.document import Document, Leaf, plain
from composer.document import Mapping as Tree
from composer.document import Sequence as Items
from composer.elaborate import Broken, Elaborator, Table, Value
from composer.errors import ComposeError, Place, Problem, nearest
from composer.expression import Call as CallTree
from composer.expression import Expression, Name, parse_expression, show
from composer.index import Binding, Indices
from composer.fields import KINDS, Field, Stream
from composer.nodes import Call, Graph, Layer, Network, Node, Wiring, reachable
from composer.phases import read_phases
from composer.prune import lint, prune
from composer.reading import (
    Definition,
    entries,
    expand_section,
    expression_of,
    families,
    is_expression,
    leaf_text,
    read_call,
    read_indices,
)
from composer.settings import read_averages, read_groups, read_show, read_training, read_translations

FIELD_KINDS: dict[str, tuple[int, int]] = {  # kind -> fewest and most numbers it takes
    "image": (3, 3),
    "label": (1, 1),
    "label_map": (3, 3),
    "ids": (2, 2),
    "code": (1, 1),
}
NETWORK_KEYS = ("block", "chain", "inputs", "values", "output", "init", "frozen", "weights", "mode")


class Builder:
    """Everything that reading one document needs; `graph()` gives the result."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.root = document.root
        self.problems: list[Problem] = []
        self.table = Table()
        self.constants: dict[str, Any] = {}
        self.known: dict[str, Node] = {}
        self.definitions: dict[str, Definition] = {}
        self.resolving: list[str] = []
        self.wholes: dict[Any, Node] = {}  # what stands on the right of a line with several names
        self.broken: set[str] = set()
        self.networks: dict[str, Network] = {}
        self.warnings: list[Problem] = []

    # -- params -------------------------------------------------------------------------------------------------

    def read_params(self) -> None:
        section = self.root.get("params")
        no_indices = Indices(())
        if self.root.get("index") is None or "=" not in str(plain(self.root.get("index"))):
            no_indices = self._read_indices(no_indices)
            self._define_params(expand_section(section, no_indices, self.problems), no_indices)
            self.indices = no_indices
            return
        # An index may take its values from a param, and a param may have an index: plain params come first.
        plain_params = [(k, v) for k, v in entries(section) if "[" not in str(k.value)]
        bare = Tree(tuple(plain_params), section.place) if section is not None else None
        self._define_params(expand_section(bare, no_indices, self.problems), no_indices)
        self.indices = self._read_indices(no_indices)
        rest = Tree(tuple((k, v) for k, v in entries(section) if "[" in str(k.value)), self.root.place)
        self._define_params(expand_section(rest, self.indices, self.problems), self.indices)

    def _read_indices(self, fallback: Indices) -> Indices:
        elaborator = self._constant_reader(fallback)
        try:
            return read_indices(self.root.get("index"), lambda tree: elaborator.constant(tree, {}))
        except ComposeError as error:
            self.problems.extend(error.problems)
            raise ComposeError.together(self.problems) from None

    def _constant_reader(self, indices: Indices) -> Elaborator:
        return Elaborator(
            self.table, indices, lambda name, at: self.constants.get(name), lambda: list(self.constants),
            families(list(self.constants)), {},
        )

    def _define_params(self, found: list[Definition], indices: Indices) -> None:
        waiting = {d.name: d for d in found}
        active: list[str] = []

        def lookup(name: str, at: Place) -> Any:
            if name in self.constants:
                return self.constants[name]
            if name in waiting:
                return resolve(name, at)
            return None

        def resolve(name: str, at: Place) -> Any:
            if name in active:
                raise ComposeError(f"params need each other: {' -> '.join([*active, name])}", at)
            definition = waiting[name]
            active.append(name)
            try:
                if is_expression(definition.item):
                    names = families([*self.constants, *waiting])
                    reader = Elaborator(self.table, indices, lookup, lambda: list(waiting), names, {})
                    self.constants[name] = reader.constant(expression_of(definition.item), definition.bound)
                elif isinstance(definition.item, Tree):
                    raise ComposeError("a param is a number, a text or a list", definition.item.place)
                else:
                    value = plain(definition.item)
                    if value is None:
                        raise ComposeError(f"param '{name}' has no value", definition.place)
                    self.constants[name] = value
            finally:
                active.pop()
            return self.constants[name]

        for name, definition in waiting.items():
            try:
                if name not in self.constants:
                    resolve(name, definition.place)
            except ComposeError as error:
                self.problems.extend(error.problems)
                self.constants.setdefault(name, 1)

    # -- the top scope ------------------------------------------------------------------------------------------

    def lookup(self, name: str, at: Place) -> Value | None:
        if name in self.constants:
            return self.constants[name]
        if name in self.known:
            return self.known[name]
        if name in self.broken:
            raise Broken(name)
        if name not in self.definitions:
            return None
        if name in self.resolving:
            circle = [*self.resolving[self.resolving.index(name) :], name]
            raise ComposeError(f"values need each other in a circle: {' -> '.join(circle)}", at)
        return self.resolve(name)

    def resolve(self, name: str) -> Value:
        definition = self.definitions[name]
        self.resolving.append(name)
        naming = self.elaborator.naming
        try:
            tree = expression_of(definition.item)
            self.elaborator.naming = name if definition.part is None else f"{definition.pattern}"
            whole = (definition.pattern, *sorted(definition.bound.items()))
            if definition.part is None or whole not in self.wholes:
                self.wholes[whole] = self.elaborator.node(tree, definition.bound)
            found = self.wholes[whole]
            if definition.part is not None:
                text = f"{found.text}[{definition.part}]"
                found = self.table.node("item", "", definition.place, text, [found], {"number": definition.part})
        except (ComposeError, Broken, RecursionError) as error:
            self.broken.add(name)
            if isinstance(error, ComposeError):
                self.problems.extend(error.problems)
            elif isinstance(error, RecursionError):
                self.problems.append(Problem("values nested too deeply", definition.place))
            raise Broken(name) from None
        finally:
            self.resolving.pop()
            self.elaborator.naming = naming
        self.known[name] = found
        return found

    def attempt(self, tree: Expression, bound: Binding, naming: str = "") -> Node | None:
        """A node, or None after noting what is wrong."""
        self.elaborator.naming = naming
        try:
            return self.elaborator.node(tree, bound)
        except ComposeError as error:
            self.problems.extend(error.problems)
        except Broken:
            pass  # its definition was reported where it stands
        finally:
            self.elaborator.naming = ""
        return None

    def constant(self, tree: Expression, bound: Binding | None = None) -> Any:
        return self.elaborator.constant(tree, bound or {})

    def evaluated(self, item: Any, bound: Binding) -> Any:
        """A setting's value: plain data in which `=...` stands for an expression over params."""
        if isinstance(item, Items):
            return [self.evaluated(i, bound) for i in item.items]
        if isinstance(item, Tree):
            return {str(k.value): self.evaluated(v, bound) for k, v in item.items}
        if is_expression(item):
            return self.constant(expression_of(item), bound)
        return item.value

    # -- inputs -------------------------------------------------------------------------------------------------

    def read_inputs(self) -> None:
        self.streams: dict[str, dict[str, Field]] = {}
        for definition in expand_section(self.root.get("inputs"), self.indices, self.problems):
            fields = self.streams.setdefault(definition.name, {})
            for entry in expand_section(definition.item, self.indices, self.problems, definition.bound):
                if entry.name in self.known or entry.name in self.constants:
                    self.problems.append(Problem(f"'{entry.name}' is defined twice", entry.place, "rename one of them"))
                    continue
                try:
                    fields[entry.name] = self.read_field(entry.name, expression_of(entry.item), entry.bound, entry.place)
                except ComposeError as error:
                    self.problems.extend(error.problems)
                    self.broken.add(entry.name)
                    continue
                self.known[entry.name] = self.table.node("input", entry.name, entry.place, entry.name)
                self.patterns[entry.name] = entry.pattern

    def read_field(self, name: str, tree: Expression, bound: Binding, place: Place) -> Field:
        if not isinstance(tree, CallTree) or not isinstance(tree.function, Name):
            raise ComposeError(f"'{show(tree)}' is no kind of input", tree.at, "write image(3, size, size)")
        kind = tree.function.id
        if kind not in FIELD_KINDS:
            raise ComposeError(f"unknown kind of input '{kind}'", tree.at, nearest(kind, FIELD_KINDS))
        args = tuple(self.constant(a, bound) for a in tree.arguments)
        low, high = FIELD_KINDS[kind]
        if not low <= len(args) <= high:
            raise ComposeError(f"{kind} takes {low} numbers, got {len(args)}", tree.at, "write image(3, size, size)")
        for value, argument in zip(args, tree.arguments, strict=True):
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65536:
                raise ComposeError(
                    f"'{show(argument)}' is {value!r}, which is no size", argument.at, "use a whole number from 1 to 65536"
                )
        options = {}
        for key, expression in tree.keywords:
            options[key] = self.constant(expression, bound)
            offered = KINDS[kind].options if kind in KINDS else {}
            if key not in offered:
                raise ComposeError(f"no option of {kind} named '{key}'", expression.at, nearest(key, offered))
            if not offered[key].accepts(options[key]):
                raise ComposeError(f"{key} is {options[key]!r}", expression.at, f"it is {offered[key].allowed}")
        return Field(name, kind, args, options, place)

    # -- networks -----------------------------------------------------------------------------------------------

    def read_networks(self) -> None:
        self.network_definitions = expand_section(self.root.get("networks"), self.indices, self.problems)
        self.network_names: dict[str, list[str]] = {}
        for definition in self.network_definitions:
            base = definition.name.partition("[")[0]
            self.network_names.setdefault(base, []).append(definition.name)
            if base in catalogue():
                problem = Problem(f"network '{base}' has the name of a block", definition.place, "choose another name")
                self.problems.append(problem)

    def read_network_bodies(self) -> None:
        for definition in self.network_definitions:
            try:
                self.networks[definition.name] = self.read_network(definition)
            except ComposeError as error:
                self.problems.extend(error.problems)
            except Broken:
                pass  # reported where it stands
            self.patterns[definition.name] = definition.pattern

    def read_network(self, definition: Definition) -> Network:
        body, bound = definition.item, definition.bound
        if not isinstance(body, Tree):
            raise ComposeError(f"network '{definition.name}' needs a mapping", definition.place, "{block: NAME, ...}")
        init_item = body.get("init")
        init = Call("default")
        if isinstance(init_item, Leaf):
            text = self.evaluated(init_item, bound)
            name, args, settings = read_call(str(text), init_item.place, lambda tree: self.constant(tree, bound))
            init = Call(name, args, settings)
        block, settings, wiring = "", {}, None
        if body.get("block") is not None:
            block = str(self.evaluated(body.get("block"), bound))
            settings = self.block_settings(look_up_at(block, body.get("block").place), body, bound)
        elif body.get("chain") is not None:
            wiring = self.read_chain(body, bound)
        else:
            wiring = self.read_wiring(body, bound)
        frozen = body.get("frozen")
        mode = body.get("mode")
        weights = body.get("weights")
        return Network(
            definition.name, block, settings, wiring, init,
            bool(self.evaluated(frozen, bound)) if frozen is not None else False,
            str(self.evaluated(mode, bound)) if mode is not None else "",
            str(self.evaluated(weights, bound)) if weights is not None else "",
            definition.place,
        )

    def block_settings(self, block: Block, body: Tree, bound: Binding) -> dict[str, Any]:
        from composer.schema import check_setting

        settings: dict[str, Any] = {}
        problems: list[Problem] = []
        for key, item in body.items:
            name = str(key.value)
            if name in NETWORK_KEYS and block.setting(name) is None or name == "block":
                continue
            if name == "init":
                continue
            try:
                value = self.evaluated(item, bound)
            except ComposeError as error:
                problems.extend(error.problems)
                continue
            problem = check_setting(block, name, value, item.place)
            if problem:
                problems.append(problem)
            settings[name] = value
        for setting in block.settings:
            if setting.required and setting.name not in settings:
                problems.append(Problem(f"block '{block.name}' needs '{setting.name}'", body.place))
        if problems:
            raise ComposeError.together(problems)
        return settings

    def read_chain(self, body: Tree, bound: Binding) -> Wiring:
        layers: dict[str, Layer] = {}
        reader = Elaborator(
            self.table, self.indices, lambda n, at: self.constants.get(n), lambda: list(self.constants),
            families(list(self.constants)), {}, layers=layers,
        )
        chain = body.get("chain")
        if not isinstance(chain, Items) or not chain.items:
            raise ComposeError("a chain is a list of layers", body.place, "chain: [conv(64), ...] on lines of their own")
        first = self.table.node("input", "x", body.place, "x", unique=True)
        node = first
        for number, item in enumerate(chain.items):
            node = self.read_link(reader, expression_of(item), node, bound, str(number))
        return Wiring((first,), layers, (node,))

    def read_link(self, reader: Elaborator, tree: Expression, node: Node, bound: Binding, naming: str) -> Node:
        if not isinstance(tree, CallTree) or not isinstance(tree.function, Name):
            raise ComposeError(f"'{show(tree)}' is no layer", tree.at, "write conv(64, kernel=3)")
        if tree.function.id == "repeat":
            if len(tree.arguments) < 2:
                raise ComposeError("repeat takes a number and layers", tree.at, "repeat(9, residual())")
            times = reader.constant(tree.arguments[0], bound)
            if isinstance(times, bool) or not isinstance(times, int) or not 0 <= times <= 1000:
                raise ComposeError(f"cannot repeat {times!r} times", tree.at, "use a whole number from 0 to 1000")
            for round_number in range(times):
                for position, inner in enumerate(tree.arguments[1:]):
                    name = f"{naming}_{round_number}" + (f"_{position}" if len(tree.arguments) > 2 else "")
                    node = self.read_link(reader, inner, node, bound, name)
            return node
        reader.naming = naming
        hole = Name(tree.at, " ")
        outer, inner_lookup = reader.lookup, node
        reader.lookup = lambda n, at: inner_lookup if n == " " else outer(n, at)
        try:
            return reader.node(CallTree(tree.at, tree.function, (hole, *tree.arguments), tree.keywords), bound)
        finally:
            reader.lookup = outer

    def read_wiring(self, body: Tree, bound: Binding) -> Wiring:
        layers: dict[str, Layer] = {}
        local: dict[str, Node] = {}
        names = body.get("inputs")
        if names is None or body.get("values") is None or body.get("output") is None:
            raise ComposeError(
                "a network has a block, a chain, or inputs, values and output", body.place, "{block: NAME, ...}"
            )
        written = plain(names)
        for name in written if isinstance(written, list) else [n.strip() for n in str(written).split(",")]:
            local[str(name)] = self.table.node("input", str(name), names.place, str(name), unique=True)
        inputs = tuple(local.values())
        found = expand_section(body.get("values"), self.indices, self.problems, bound)
        definitions = {d.name: d for d in found}
        active: list[str] = []

        def lookup(name: str, at: Place) -> Value | None:
            if name in local:
                return local[name]
            if name in definitions:
                if name in active:
                    raise ComposeError(f"values need each other in a circle: {' -> '.join([*active, name])}", at)
                return resolve(name)
            return self.constants.get(name)

        def resolve(name: str) -> Node:
            definition = definitions[name]
            active.append(name)
            naming, reader.naming = reader.naming, name.replace("[", "_").replace("]", "").replace(",", "_")
            try:
                tree = expression_of(definition.item)
                if definition.part is not None:
                    whole = f"{definition.pattern}|{sorted(definition.bound.items())}"
                    if whole not in local:
                        local[whole] = reader.node(tree, definition.bound)
                    one = local[whole]
                    text = f"{one.text}[{definition.part}]"
                    node = self.table.node(
                        "item", "", definition.place, text, [one], {"number": definition.part}
                    )
                else:
                    node = reader.node(tree, definition.bound)
            finally:
                active.pop()
                reader.naming = naming
            local[name] = node
            return node

        everything = [*local, *definitions, *self.constants]
        reader = Elaborator(
            self.table, self.indices, lookup, lambda: everything, families(everything), {}, layers=layers
        )
        for name in definitions:
            if name not in local:
                resolve(name)
        output = body.get("output")
        text = leaf_text(output)
        trees = parse_expression(f"[{text}]", output.place.within(-1, len(text) + 1))
        outputs = tuple(reader.node(t, bound) for t in trees.items)  # type: ignore[attr-defined]
        values = {n: v for n, v in local.items() if n in definitions}
        used = set(reachable(list(outputs)))
        kept = {n.target for n in used if n.op == "layer"}
        for name, value in values.items():
            if value not in used:
                self.warnings.append(Problem(f"value '{name}' of the network is not used", definitions[name].place))
        return Wiring(inputs, {n: layer for n, layer in layers.items() if n in kept}, outputs, values)

    # -- everything ---------------------------------------------------------------------------------------------

    def graph(self) -> Graph:
        self.patterns: dict[str, str] = {}
        self.read_params()
        self.read_networks()
        self.elaborator = Elaborator(
            self.table, self.indices, self.lookup, lambda: [*self.constants, *self.known, *self.definitions],
            families(list(self.constants)), self.network_names,
        )
        self.read_inputs()
        for definition in expand_section(self.root.get("values"), self.indices, self.problems):
            if definition.name == "_":
                continue
            taken = definition.name in self.known or definition.name in self.constants
            if taken or definition.name in self.definitions:
                self.problems.append(
                    Problem(f"'{definition.name}' is defined twice", definition.place, "rename one of them")
                )
                continue
            self.definitions[definition.name] = definition
            self.patterns[definition.name] = definition.pattern
        self.elaborator.families = families([*self.constants, *self.known, *self.definitions, *self.broken])
        self.read_network_bodies()
        for name in self.definitions:
            if name not in self.known and name not in self.broken:
                try:
                    self.resolve(name)
                except Broken:
                    continue
        lifetime = self.read_lifetimes()
        phases = read_phases(self)
        groups = read_groups(self)
        averages = read_averages(self)
        training = read_training(self)
        translations = read_translations(self)
        show_nodes = read_show(self)
        if self.problems:
            raise ComposeError.together(self.problems)
        values = {n: v for n, v in self.known.items() if v.op != "input" or n == v.target}
        graph = Graph(
            name=str(self.document.name), about=_text(self.root.get("about")), file=self.document.file,
            params=self.constants, streams=tuple(Stream(n, tuple(f.values())) for n, f in self.streams.items()),
            networks=self.networks, values=values, lifetime=lifetime, phases=phases, groups=groups,
            averages=averages, training=training, translations=translations, show=show_nodes,
            patterns=self.patterns, document=self.document,
        )
        self.warnings += lint(graph)
        graph = prune(graph)
        return replace(graph, warnings=tuple(dict.fromkeys(self.warnings)))

    def read_lifetimes(self) -> dict[Node, str]:
        found: dict[Node, str] = {}
        for definition in expand_section(self.root.get("lifetime"), self.indices, self.problems):
            kind = plain(definition.item)
            if kind not in ("phase", "iteration"):
                self.problems.append(
                    Problem(f"unknown lifetime '{kind}'", definition.item.place, nearest(str(kind), ("phase", "iteration")))
                )
                continue
            node = self.known.get(definition.name)
            if node is None:
                if definition.name not in self.broken:
                    self.problems.append(
                        Problem(f"unknown value '{definition.name}'", definition.place, nearest(definition.name, self.known))
                    )
                continue
            found[node] = kind
        return found


def _text(item: Any) -> str:
    return str(item.value) if isinstance(item, Leaf) else ""


def look_up_at(name: str, place: Place) -> Block:
    try:
        return look_up(name)
    except ComposeError as error:
        raise ComposeError(error.fact, place, error.remedy) from None


def build(document: Document) -> Graph:
    """The graph of a document; every problem of it in one `ComposeError`."""
    from composer.block_files import load_block_files
    from composer.schema import validate

    files = load_block_files(document)
    problems = validate(document)
    if problems:
        raise ComposeError.together(problems)
    return replace(Builder(document).graph(), block_files=files)


def settings_with_defaults(block: Block, settings: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a block: the given ones over its defaults."""
    return {s.name: s.default for s in block.settings if not s.required} | dict(settings)
