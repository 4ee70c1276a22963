"""Files of data with a mistake in them, and what an error says of each."""

from support.commandline import conversation

LINES = {  # name of a data file: (its lines, what the error says of it)
    "broken_json": ([conversation("Hi", "Yes.")] * 6 + ['{"messages": [}'], "broken_json.jsonl:7: is not JSON"),
    "no_messages": ([conversation("Hi", "Yes."), {"messages": []}], "no_messages.jsonl:2: contains no message"),
    "unknown_role": (
        [{"messages": [{"role": "robot", "content": "Hi"}]}],
        "unknown_role.jsonl:1: message 1 has the unknown role",
    ),
    "two_forms": (
        [conversation("Hi", "A"), conversation("Hi", "B") | {"prompt": "Hi"}],
        'two_forms.jsonl:2: has both "messages" and "prompt"',
    ),
    "ends_with_user": (
        [{"messages": [{"role": "user", "content": "Hi"}]}],
        "ends_with_user.jsonl:1: the conversation ends with user",
    ),
    "content_missing": ([{"messages": [{"role": "user"}]}], "content_missing.jsonl:1: message 1"),
    "content_null": ([{"messages": [{"role": "user", "content": None}]}], "content_null.jsonl:1: message 1"),
    "messages_no_list": ([{"messages": "Hi"}], "messages_no_list.jsonl:1:"),
    "message_no_object": ([{"messages": ["Hi"]}], "message_no_object.jsonl:1: message 1"),
    "no_completion": ([{"prompt": "Hi"}], "no_completion.jsonl:1:"),
    "mixed_forms": ([{"prompt": "Hi", "completion": []}], "mixed_forms.jsonl:1:"),
    "number": ([conversation("Hi", "Yes."), 7], "number.jsonl:2: a JSON object"),
    "unknown_keys": ([{"question": "Hi"}], "unknown_keys.jsonl:1: has none of the keys"),
    "surrogate": (['{"text": "\\ud800"}'], "surrogate.jsonl:1: a text has a lone surrogate"),
    "one_token": ([{"text": ""}], "one_token.jsonl:1: only one token"),
    "prompt_too_long": (
        [conversation("Hi", "Yes."), conversation("x " * 200, "Yes.")],
        "prompt_too_long.jsonl:2: the prompt leaves no room",
    ),
    "blank": (["", "  "], "blank.jsonl: contains no example"),
    "nested": (["[" * 100_000], "nested.jsonl"),
}
