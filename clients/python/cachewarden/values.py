"""Values as bytes with a type, and back. What comes back from a cache equals what went in, or is no hit."""

import json
import math
import re

BYTES, JSON = "application/octet-stream", "application/json"
_INTEGER = re.compile(rb"-?[1-9][0-9]{0,18}|0")


def encode(value):
    """(bytes, type): bytes as they are, everything else as JSON; TypeError or ValueError for what JSON has not."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value), BYTES
    try:
        data = _written(value)
        _check_keys(value)
    except RecursionError as error:
        raise ValueError("too deep") from error
    return data, JSON


def _written(value):
    """ValueError for half of a pair of surrogates, too: UTF-8 has no bytes for it."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode()


def _check_keys(value):
    """json would make text of others: {1: "a"} would come back as {"1": "a"}."""
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("keys of JSON are str")
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return
    for item in value:
        _check_keys(item)


def _refuse(word):
    raise ValueError(f"{word} is no JSON")


def _number(digits):
    number = float(digits)
    return number if math.isfinite(number) else _refuse(digits)


def _read(text):
    """Of text, because json would guess at what encoding bytes have."""
    value = json.loads(text, parse_constant=_refuse, parse_float=_number)
    if r"\ud" in text.lower():
        _written(value)  # half of a pair of surrogates could be sent to nobody
    return value


def decode(data, media_type):
    """ValueError: that is not what its type says."""
    media_type = (media_type or BYTES).lower()
    if media_type == "text/plain" and _INTEGER.fullmatch(data):  # a counter
        return int(data)
    media_type = media_type.partition(";")[0].strip()
    if media_type == JSON or media_type.endswith("+json"):
        try:
            return _read(data.decode())
        except RecursionError as error:
            raise ValueError("too deep") from error
    return data.decode() if media_type.startswith("text/") else data
