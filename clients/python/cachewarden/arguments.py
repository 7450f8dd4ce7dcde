"""Arguments that are wrong are told at once, by name: each later call would fail, and nothing would ever be cached."""

import collections.abc
import math
import operator
import re
import ssl

MOST_SECONDS = 86400
MOST_WAIT_MS = 60000  # the service takes no more
_KEY = re.compile(r"[\x21-\x7e]+")
_NUMBER = re.compile(r"[1-9][0-9]{0,18}")


def seconds(name, value, *, may_be_zero=False):
    """A time in seconds: above 0, or also 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} is a number of seconds, such as 0.5, not {value!r}")
    if not (math.isfinite(value) and 0 <= value <= MOST_SECONDS and (value > 0 or may_be_zero)):
        least = "from 0" if may_be_zero else "above 0"
        raise ValueError(f"{name} is a number of seconds {least}, {MOST_SECONDS} at most, not {value!r}")
    return value


def wait_ms(value):
    if type(value) is not int or not 0 <= value <= MOST_WAIT_MS:
        raise ValueError(f"wait_ms is a whole number of milliseconds, 0 to {MOST_WAIT_MS}, not {value!r}")
    return value


def key(value):
    """An API key, as it was read from a file with its line break, or None. It is a secret: no message shows it."""
    if value is not None and not isinstance(value, str):
        raise TypeError(f"key is an API key, a str, not {type(value).__name__}")
    if not value:
        return None
    value = value.strip()
    if not _KEY.fullmatch(value):
        raise ValueError("key is an API key, printable ASCII without a blank, and this is none")
    return value


def namespace(value):
    if value is not None and (not isinstance(value, str) or not value):
        kind = ValueError if value == "" else TypeError
        raise kind(f"namespace is a name such as 'user:7', or None, not {value!r}")
    return value


def credential(value):
    if value is not None and not isinstance(value, collections.abc.Mapping):
        raise TypeError(f"credential is what credential_of(headers) gives, not {type(value).__name__}")
    return value


def context(value):
    if value is not None and not isinstance(value, ssl.SSLContext):
        raise TypeError(f"context is an ssl.SSLContext, or None, not {value!r}")
    return value


def user_id(value):
    """As an int. Part of a number, or True, would be somebody else's."""
    text = value
    if not isinstance(value, str):
        try:
            text = str(operator.index(value)) if not isinstance(value, bool) else ""
        except TypeError:
            raise TypeError(f"user_id is a whole number above 0, not {value!r}") from None
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"user_id is a whole number above 0, not {value!r}")
    return int(text)
