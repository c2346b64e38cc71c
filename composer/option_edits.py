"""Edits of a hybrid that are about the options of its base: variants and presets, and what a preset sets.

`drop: [variants.masks, presets.streets, presets.demo.width]`, `change: {presets.demo.lr: 1e-3}`,
`add: {presets.demo.new_weight: 5}`. All other paths name what the graph itself is made of.
"""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping

from composer.errors import nearest
from composer.tree import Leaf, Mapping, Node, Problems, found, shortened
from composer.tree import Sequence as ListNode

Options = dict[str, Mapping]


def edit_options(variants: Options, presets: Options, root: Mapping, problems: Problems) -> Mapping:
    """Change both in place, drops first; the hybrid without the edits that were about them."""
    kept: dict[str, Node] = dict((key.text, node) for key, node in root)
    dropped = kept.get("drop")
    if isinstance(dropped, ListNode):
        others = [one for one in dropped if not _drop(one, {"variants": variants, "presets": presets}, problems)]
        kept["drop"] = ListNode(tuple(others), dropped.place)
    for edit in ("change", "add"):
        edits = kept.get(edit)
        if isinstance(edits, Mapping):
            pairs = [(path, node) for path, node in edits if not _put(edit, path, node, presets, problems)]
            kept[edit] = Mapping(tuple(pairs), edits.place)
    return Mapping(tuple((key, kept[key.text]) for key, _ in root), root.place)


def _split(path: str) -> tuple[str, str, str]:
    """Section, name of the option, and the key in it: `presets.demo.networks.G.block`."""
    section, _, rest = path.strip().partition(".")
    name, _, key = rest.partition(".")
    return section, name, key


def _drop(item: Node, options: AnyMapping[str, Options], problems: Problems) -> bool:
    """Whether a path of `drop` is about an option."""
    section, name, key = _split(item.text) if isinstance(item, Leaf) else ("", "", "")
    offered = options.get(section)
    if offered is None:
        return False
    if name not in offered:
        fact = f"drop: there is no '{shortened(f'{section}.{name}')}'"
        problems.add(fact, item.place, nearest(name, offered))
    elif not key:
        del offered[name]
    elif section == "presets" and key in offered[name]:
        offered[name] = _with(offered[name], key, None)
    else:
        known = offered[name].keys() if section == "presets" else ()
        problems.add(f"drop: there is no '{shortened(f'{section}.{name}.{key}')}'", item.place, nearest(key, known))
    return True


def _put(edit: str, path: Leaf, node: Node, presets: Options, problems: Problems) -> bool:
    """Whether a path of `change` or `add` is about a preset."""
    section, name, key = _split(path.text)
    if section != "presets":
        return False
    whole = shortened(path.text.strip())
    there = name in presets and (not key or key in presets[name])
    if edit == "add" and there:
        problems.add(f"add: '{whole}' is there already", path.place, "write it under change:")
    elif edit == "change" and not there:
        known = presets[name].keys() if name in presets else presets
        problems.add(f"change: there is no '{whole}'", path.place, nearest(key if name in presets else name, known))
    elif key and name not in presets:
        problems.add(f"add: there is no 'presets.{shortened(name)}'", path.place, nearest(name, presets))
    elif key:
        presets[name] = _with(presets[name], key, (Leaf(key, path.place, key), node))
    elif isinstance(node, Mapping):
        presets[name] = node
    else:
        problems.add(f"{whole}: expected a mapping of params to values, found {found(node)}", node.place)
    return True


def _with(preset: Mapping, name: str, pair: tuple[Leaf, Node] | None) -> Mapping:
    """The preset with this pair in place of the one of that name, or behind all; without it where there is none."""
    pairs = [pair if key.text == name else (key, node) for key, node in preset]
    if pair is not None and name not in preset:
        pairs.append(pair)
    return Mapping(tuple(one for one in pairs if one is not None), preset.place)
