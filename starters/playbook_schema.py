"""The JSON Schema of playbooks, for editors: as marketers write them, with `9d` and the short forms of `late`."""

from typing import Any, Final

from journey.playbook import LatePolicy, Playbook

_SPAN: Final = {"type": "string", "pattern": r"^(\d+[wdhms])+$", "examples": ["9d", "12h", "1d12h"]}
_TIME: Final = {"type": "string", "pattern": r"^\d{2}:\d{2}(:\d{2})?$", "examples": ["21:00"]}


def playbook_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a playbook file."""
    schema: dict[str, Any] = _as_written(Playbook.model_json_schema(mode="validation"))
    late = schema["$defs"]["Late"]
    schema["$defs"]["Late"] = {
        "description": late.get("description", ""),
        "anyOf": [
            {"enum": [LatePolicy.SEND.value, LatePolicy.RESCHEDULE.value]},
            {
                "type": "object",
                "properties": {"skip_after": _SPAN},
                "required": ["skip_after"],
                "additionalProperties": False,
            },
            {key: value for key, value in late.items() if key != "description"},
        ],
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Postlude playbook", **schema}


def _as_written(node: Any) -> Any:
    """Spans and times of day in the form that the files have, which JSON Schema's own formats are not."""
    if isinstance(node, list):
        return [_as_written(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _as_written(value) for key, value in node.items()}
    for name, form in (("duration", _SPAN), ("time", _TIME)):
        if kept.get("format") == name:
            rest = {key: value for key, value in kept.items() if key not in {"type", "format"}}
            return {**rest, **form}
    return kept
