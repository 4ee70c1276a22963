"""Conversations in tests."""


def render(tokenizer, messages, add_generation_prompt=False):
    """`tokenizer.render` where every turn of the assistant belongs to y."""
    is_y = [message["role"] == "assistant" for message in messages]
    return tokenizer.render(messages, is_y, add_generation_prompt)
