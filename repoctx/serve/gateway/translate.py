"""What is a request in Anthropic's protocol in OpenAI's?

For back ends that speak that one alone. What has no counterpart there is refused in a sentence where the answer would
be another without it, and left out where it would not: thinking of former turns, marks for caches.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from repoctx.serve.gateway.counted import texts
from repoctx.serve.gateway.spoken import Failure

# Fields that are said in another way, or that only Anthropic's servers know; all others go on as they are.
_OWN = frozenset(
    "system messages tools tool_choice stop_sequences metadata thinking context_management output_config "
    "output_format betas container mcp_servers service_tier inference_geo speed cache_control".split()
)
LONGEST_USER = 64  # characters, as OpenAI's servers take it; Claude Code sends some 150
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
Message = dict[str, Any]


def chat(body: Mapping[str, Any]) -> dict[str, Any]:
    """The request for a chat completion. Raises Failure for what only Anthropic's servers can do."""
    system = "\n".join(texts(body.get("system")))
    messages: list[Message] = [{"role": "system", "content": system}] if system else []
    for message in _objects(body.get("messages"), "messages"):
        messages += _messages(message)
    asked = {name: value for name, value in body.items() if name not in _OWN} | {"messages": messages}
    if tools := body.get("tools"):
        asked["tools"] = [_tool(tool) for tool in _objects(tools, "tools")]
        asked |= _choice(body.get("tool_choice"))
    if stops := body.get("stop_sequences"):
        asked["stop"] = stops
    metadata = body.get("metadata")
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    if isinstance(user, str) and len(user) <= LONGEST_USER:
        asked["user"] = user
    if wanted := _format(body):
        asked["response_format"] = wanted
    if body.get("stream") is True:
        asked["stream_options"] = {"include_usage": True}
    return asked


def _objects(value: Any, name: str) -> Sequence[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Failure(400, f"`{name}` must be a list of objects")
    return value


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    if "input_schema" not in tool:
        raise Failure(
            400, f"the tool {tool.get('name') or tool.get('type')!r} runs on Anthropic's servers, or is known to their "
            "models alone: leave it out, or give it an input_schema",
        )  # fmt: skip
    function = {
        "name": tool.get("name"),
        "description": tool.get("description", ""),
        "parameters": tool["input_schema"],
    }
    strict = {"strict": tool["strict"]} if "strict" in tool else {}
    return {"type": "function", "function": {**function, **strict}}


def _choice(choice: Any) -> dict[str, Any]:
    if not isinstance(choice, dict):
        return {}
    kind = choice.get("type")
    if kind == "tool":
        asked: dict[str, Any] = {"tool_choice": {"type": "function", "function": {"name": choice.get("name")}}}
    elif kind in _CHOICES:
        asked = {"tool_choice": _CHOICES[kind]}
    else:
        raise Failure(400, f"`tool_choice` is auto, any, tool or none, not {kind!r}")
    return asked | ({"parallel_tool_calls": False} if choice.get("disable_parallel_tool_use") is True else {})


def _format(body: Mapping[str, Any]) -> dict[str, Any] | None:
    config = body.get("output_config")
    wanted = body.get("output_format") or (config.get("format") if isinstance(config, dict) else None)
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        return None
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": wanted.get("schema"), "strict": True}}


# --- messages ----------------------------------------------------------------------------------


def _messages(message: Mapping[str, Any]) -> Iterator[Message]:
    """A message as one or several: the results of tools are messages of their own, before what else is said."""
    role, content = message.get("role"), message.get("content")
    if role not in ("user", "assistant", "system"):
        raise Failure(400, f"a message's role is user, assistant or system, not {role!r}")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else _objects(content, "content")
    if role == "system":
        yield {"role": "system", "content": "\n".join(texts(content))}
        return
    if role == "assistant":
        yield _assistant(blocks)
        return
    pictures: list[Message] = []
    for block in blocks:
        if block.get("type") == "tool_result":
            said, shown = _result(block)
            pictures += shown
            yield {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": said}
    parts = [*pictures, *(_part(block) for block in blocks if block.get("type") != "tool_result")]
    if parts and all(part["type"] == "text" for part in parts):
        yield {"role": "user", "content": "\n".join(part["text"] for part in parts)}  # as every server takes it
    elif parts:
        yield {"role": "user", "content": parts}


def _assistant(blocks: Sequence[Mapping[str, Any]]) -> Message:
    text = "".join(str(block.get("text", "")) for block in blocks if block.get("type") == "text")
    calls = [
        {
            "id": block.get("id"),
            "type": "function",
            "function": {"name": block.get("name"), "arguments": _written(block.get("input", {}))},
        }
        for block in blocks
        if block.get("type") == "tool_use"
    ]
    return {"role": "assistant", "content": text or (None if calls else ""), **({"tool_calls": calls} if calls else {})}


def _result(block: Mapping[str, Any]) -> tuple[str, list[Message]]:
    """The text of a tool's result, and the pictures in it, for which a tool's message has no place."""
    content = block.get("content", "")
    if isinstance(content, str):
        said, pictures = [content], []
    else:
        parts = [_part(one) for one in _objects(content, "content")]
        said = [part["text"] for part in parts if part["type"] == "text"]
        pictures = [part for part in parts if part["type"] != "text"]
    return ("Error: " if block.get("is_error") is True else "") + "\n".join(said), pictures


def _part(block: Mapping[str, Any]) -> Message:
    kind = str(block.get("type"))
    return _PARTS.get(kind, _unknown)(block)


def _text(block: Mapping[str, Any]) -> Message:
    return {"type": "text", "text": str(block.get("text", ""))}


def _image(block: Mapping[str, Any]) -> Message:
    source = block.get("source")
    source = source if isinstance(source, dict) else {}
    if source.get("type") == "base64":
        return _picture(f"data:{source.get('media_type')};base64,{source.get('data')}")
    if source.get("type") == "url":
        return _picture(str(source.get("url")))
    raise Failure(400, "a picture must be sent as base64 or as a URL: this back end has no store of files")


def _picture(url: str) -> Message:
    return {"type": "image_url", "image_url": {"url": url}}


def _document(block: Mapping[str, Any]) -> Message:
    source = block.get("source")
    source = source if isinstance(source, dict) else {}
    if source.get("type") == "text":
        return {"type": "text", "text": str(source.get("data", ""))}
    if source.get("type") == "content":
        return {"type": "text", "text": "\n".join(texts(source.get("content")))}
    raise Failure(400, "this back end reads no documents but plain text: send the text of the document")


def _unknown(block: Mapping[str, Any]) -> Message:
    return {"type": "text", "text": _written(block)}  # nothing of it is lost


_PARTS: Mapping[str, Callable[[Mapping[str, Any]], Message]] = {
    "text": _text, "image": _image, "document": _document,
}  # fmt: skip


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
