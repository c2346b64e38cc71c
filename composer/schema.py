"""The form of a document: checked here, and written as JSON Schema for editors. Both come from one table."""

from __future__ import annotations

from typing import Any

from composer.document import Document
from composer.errors import ComposeError, Problem
from composer.kinds import COMPUTED
from composer.network_form import network_block_names, network_definitions
from composer.records import Field, Record
from composer.sections import HYBRID, KEPT, OPTIONS, SECTIONS
from composer.setting import check_setting, setting_kind
from composer.tree import Problems

__all__ = ["check_setting", "json_schema", "setting_kind", "validate"]

_ROOT = Record(SECTIONS, "a mapping of sections", "section")


def validate(document: Document) -> list[Problem]:
    """Everything that is wrong with the form of a merged document, in the order of the file.

    Blocks of the document's own must have been registered before. Settings that are expressions are not judged.
    """
    problems = Problems()
    try:
        _ROOT.check(document.root, "", problems)
    except ComposeError as error:  # too many to go on
        return list(error.problems)
    return list(ComposeError.together(problems).problems) if problems else []


def json_schema() -> dict[str, Any]:
    """The form of a graph file as JSON Schema (draft 7), every block with its settings."""
    required = [name for name, entry in SECTIONS.items() if entry.required]
    own = [name for name in SECTIONS if name not in KEPT]
    edits = [name for name in HYBRID if name != "extends"]
    known = {"properties": {"block": {"anyOf": [{"enum": network_block_names()}, COMPUTED]}}}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Composer graph",
        "type": "object",
        "properties": _properties(SECTIONS | OPTIONS | HYBRID),
        "additionalProperties": False,
        "if": {"required": ["extends"]},
        "then": {"not": {"anyOf": [{"required": [name]} for name in own]}},
        "else": {
            "required": required,
            "not": {"anyOf": [{"required": [name]} for name in edits]},
            "if": {"not": {"required": ["blocks"]}},
            "then": {"properties": {"networks": {"additionalProperties": known}}},
        },
        "definitions": network_definitions(),
    }


def _properties(fields: dict[str, Field]) -> dict[str, Any]:
    return {name: entry.schema() for name, entry in fields.items()}
