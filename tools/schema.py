"""Write what editors and `composer check` read: schemas/catalogue.json and schemas/graph.schema.json.

    python tools/schema.py            write both
    python tools/schema.py --check    exit 1 when one of them is out of date

The catalogue is what the Python of every bundled block says of itself; the schema is made from the catalogue and
from the table of sections.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SCHEMAS = ROOT / "schemas"


def catalogue_entries() -> list[dict[str, Any]]:
    """Import every module of `composer.blocks`, and give what it registered as plain data, by name."""
    registry = importlib.import_module("composer.block")  # the attribute `composer.block` is the decorator
    registry._bundled_loaded = True  # what the old file says is not asked
    package = importlib.import_module("composer.blocks")
    for module in pkgutil.walk_packages(package.__path__, "composer.blocks."):
        importlib.import_module(module.name)
    found = [block for block in registry.catalogue().values() if block.module.startswith("composer.blocks.")]
    return [registry.block_to_json(block) for block in sorted(found, key=lambda block: block.name)]


def generated() -> dict[str, str]:
    """The text of every generated file, by its name."""
    sys.path.insert(0, str(ROOT))  # the composer of this checkout, installed or not
    entries = catalogue_entries()
    schema = importlib.import_module("composer.schema").json_schema()
    return {"catalogue.json": _written(entries, by_line=True), "graph.schema.json": _written(schema)}


def _written(data: Any, by_line: bool = False) -> str:
    if by_line:  # an entry a line: a change of one block is a change of one line
        return "[\n" + ",\n".join(json.dumps(entry, ensure_ascii=False, allow_nan=False) for entry in data) + "\n]\n"
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="write the generated files of schemas/")
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 when a file is out of date")
    options = parser.parse_args(arguments)
    stale = []
    for name, text in generated().items():
        path = SCHEMAS / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not options.check:
            path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"{name} is out of date: run python tools/schema.py" if options.check else f"wrote schemas/{name}")
    return 1 if stale and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
