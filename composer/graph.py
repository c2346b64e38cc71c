"""Document -> Graph: names resolved, indices expanded, calls sorted by need, what nothing needs left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from composer.computed import check_computed
from composer.document import Document, Leaf, plain
from composer.document import Mapping as Tree
from composer.document import Sequence as Items
from composer.elaborate import Broken, Elaborator, Table, Value
from composer.errors import ComposeError, Place, Problem, nearest
from composer.expression import Expression
from composer.fields import Field, Stream
from composer.groups import read_groups
from composer.index import Binding, Indices
from composer.inputs import read_inputs
from composer.limits import Enough, Noted
from composer.network_reading import read_network_bodies, read_networks
from composer.nodes import Graph, Network, Node
from composer.ordering import circle_text, in_order, names_in
from composer.params import read_params
from composer.passes import declare_collected, read_passes
from composer.phases import read_phases
from composer.prune import lint, prune
from composer.reading import Definition, entries, expand_section, expression_of, families, is_expression
from composer.settings import read_averages, read_show, read_training, read_translations
from composer.unknown import unknown_value

CIRCLE = "values are computed from inputs: one of these must not need the others"


class Builder:
    """Everything that reading one document needs; `graph()` gives the result."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.root = document.root
        self.problems: list[Problem] = Noted()
        self.table = Table()
        self.constants: dict[str, Any] = {}
        self.known: dict[str, Node] = {}
        self.definitions: dict[str, Definition] = {}
        self.resolving: list[str] = []
        self.trees: dict[int, Expression] = {}  # of what stands on the right, by the item it was read from
        self.wholes: dict[Any, Node] = {}  # what stands on the right of a line with several names
        self.together: dict[Any, list[str]] = {}  # the names on its left
        self.broken: set[str] = set()
        self.hiding: dict[str, Node] = {}  # what hides values while a translation is read: inputs of its own
        self.asked: set[str] = set()  # names that some expression names
        self.networks: dict[str, Network] = {}
        self.network_definitions: list[Definition] = []
        self.network_names: dict[str, list[str]] = {}
        self.network_patterns: dict[str, str] = {}  # as they are written, by base name: G -> G[s,t]
        self.indices = Indices(())
        self.patterns: dict[str, str] = {}
        self.warnings: list[Problem] = []
        self.streams: dict[str, dict[str, Field]] = {}

    # -- the top scope ------------------------------------------------------------------------------------------

    def constant_named(self, name: str) -> Any:
        """The param called `name`, or None."""
        if name in self.broken:
            raise Broken(name)
        return self.constants.get(name)

    def lookup(self, name: str, at: Place) -> Value | None:
        self.asked.add(name)
        if name in self.hiding:
            return self.hiding[name]
        if name in self.constants:
            return self.constants[name]
        if name in self.known:
            return self.known[name]
        if name in self.broken:
            raise Broken(name)
        if name not in self.definitions:
            return None
        if name in self.resolving:
            circle = circle_text([*self.resolving[self.resolving.index(name) :], name])
            raise ComposeError(f"values need each other in a circle: {circle}", at, CIRCLE)
        return self.resolve(name)

    def resolve(self, name: str) -> Value:
        definition = self.definitions[name]
        self.resolving.append(name)
        naming = self.elaborator.naming
        try:
            tree = self.tree_of(definition)
            whole = (definition.pattern, *sorted(definition.bound.items()))
            self.elaborator.naming = name if definition.part is None else ", ".join(self.together[whole])
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

    def tree_of(self, definition: Definition) -> Expression:
        """The expression on the right of a line, read once."""
        key = id(definition.item)
        if key not in self.trees:
            self.trees[key] = expression_of(definition.item)
        return self.trees[key]

    def resolve_all(self) -> None:
        """Every value, those it needs before it; a circle is said once."""
        needs: dict[str, list[str]] = {}
        for name, definition in self.definitions.items():
            try:
                needs[name] = list(names_in(self.tree_of(definition), definition.bound, self.indices))
            except ComposeError:
                needs[name] = []  # said when it is resolved
        order, circles = in_order(needs)
        for circle in circles:
            self.broken.update(circle)
            at = min((self.definitions[n].item.place for n in circle), key=lambda p: (p.line, p.column))
            if at not in [problem.place for problem in self.problems]:  # once for all values of an index
                self.problems.append(Problem(f"values need each other in a circle: {circle_text(circle)}", at, CIRCLE))
        for name in order:
            if name not in self.known and name not in self.broken:
                try:
                    self.resolve(name)
                except Broken:
                    continue

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

    def last_iteration(self) -> int | None:
        """The last iteration of a run, when the graph says how long one is."""
        section = self.root.get("training")
        item = section.get("iterations") if isinstance(section, Tree) else None
        try:
            found = None if item is None else self.evaluated(item, {})
        except ComposeError:
            return None  # said where the section is read
        return found - 1 if isinstance(found, int) and found > 1 else None

    # -- everything ---------------------------------------------------------------------------------------------

    def graph(self) -> Graph:
        """The graph; all problems of the document in one `ComposeError`."""
        try:
            return self._graph()
        except Enough as enough:
            found = [*self.problems, *([enough.problem] if enough.problem else [])]
            raise ComposeError.together(found) from None

    def _graph(self) -> Graph:
        read_params(self)
        read_networks(self)
        self.elaborator = Elaborator(
            self.table,
            self.indices,
            self.lookup,
            lambda: [*self.constants, *self.known, *self.definitions],
            families(list(self.constants)),
            self.network_names,
        )
        self.elaborator.last = self.last_iteration()
        self.elaborator.written = self.network_patterns
        read_inputs(self)
        declare_collected(self)
        for definition in expand_section(self.root.get("values"), self.indices, self.problems):
            if definition.name == "_":
                continue
            taken = definition.name in self.known or definition.name in self.constants
            if taken or definition.name in self.definitions:
                if definition.place not in [problem.place for problem in self.problems]:
                    self.problems.append(
                        Problem(f"'{definition.name}' is defined twice", definition.place, "rename one of them")
                    )
                continue
            self.definitions[definition.name] = definition
            whole = (definition.pattern, *sorted(definition.bound.items()))
            self.together.setdefault(whole, []).append(definition.name)
            self.patterns[definition.name] = definition.pattern
        self.elaborator.families = families([*self.constants, *self.known, *self.definitions, *self.broken])
        read_network_bodies(self)
        self.resolve_all()
        check_computed(self)
        lifetime = self.read_lifetimes()
        phases = read_phases(self)
        passes = read_passes(self)
        groups = read_groups(self)
        averages = read_averages(self)
        for node in self.table.nodes():
            if node.op == "call" and node.average and node.target not in averages:
                fact = f"network '{node.target}' has no average"
                self.problems.append(Problem(fact, node.place, f'averages: {{"{node.target}": 0.999}}'))
        training = read_training(self)
        translations = read_translations(self)
        show_nodes = read_show(self)
        if self.problems:
            raise ComposeError.together(self.problems)
        values = {n: v for n, v in self.known.items() if v.op != "input" or n == v.target}
        graph = Graph(
            name=str(self.document.name),
            about=_text(self.root.get("about")),
            file=self.document.file,
            params=self.constants,
            streams=tuple(Stream(n, tuple(f.values())) for n, f in self.streams.items()),
            networks=self.networks,
            values=values,
            lifetime=lifetime,
            phases=phases,
            groups=groups,
            averages=averages,
            training=training,
            translations=translations,
            show=show_nodes,
            passes=passes,
            patterns=self.patterns,
            document=self.document,
        )
        self.warnings += lint(graph, self.asked)
        for key, _ in entries(self.root.get("index")):
            if self.indices.of[str(key.value).split(",")[0].strip()] not in self.indices.used:
                self.warnings.append(Problem(f"index '{key.value}' is not used", key.place, "use it or drop it"))
        graph = prune(graph)
        warnings = ComposeError.together(self.warnings).problems if self.warnings else ()
        return replace(graph, warnings=tuple(warnings))

    def read_lifetimes(self) -> dict[Node, str]:
        found: dict[Node, str] = {}
        for definition in expand_section(self.root.get("lifetime"), self.indices, self.problems):
            kind = plain(definition.item)
            if kind not in ("phase", "iteration"):
                self.problems.append(
                    Problem(
                        f"unknown lifetime '{kind}'", definition.item.place, nearest(str(kind), ("phase", "iteration"))
                    )
                )
                continue
            node, base = self.known.get(definition.name), definition.name.partition("[")[0]
            if node is not None:
                found[node] = kind
            elif not {definition.name, base} & self.broken:
                error = unknown_value(base, definition.pattern, definition.place, self.known)
                self.problems.extend(error.problems)
        return found


def _text(item: Any) -> str:
    return str(item.value) if isinstance(item, Leaf) else ""


def build(document: Document) -> Graph:
    """The graph of a document; every problem of it in one `ComposeError`."""
    from composer.block_files import load_block_files
    from composer.schema import validate

    files = load_block_files(document)
    problems = validate(document)
    if problems:
        raise ComposeError.together(problems)
    return replace(Builder(document).graph(), block_files=files)
