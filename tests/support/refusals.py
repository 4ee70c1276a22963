"""What a user who made an error meets."""

import pytest

from minisft.errors import MinisftError


def refusal(call, *words):
    """The message of the MinisftError that call raises: one line that contains every word."""
    with pytest.raises(MinisftError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert str(word) in message
    return message
