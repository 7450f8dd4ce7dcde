"""Cachewarden from Python, with nothing but the standard library."""

import json
import urllib.request


def call(base_url, method, path, headers):
    """The answer's JSON. An answer that is no success raises urllib.error.HTTPError, with its code."""
    request = urllib.request.Request(base_url + path, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=2) as answer:
        return json.load(answer)


def version(base_url, authorization):
    """The version of the caller's cache, or None while it is switched off: put it into cache keys.

    authorization is the header of the request that is being answered, passed on as it is.
    """
    status = call(base_url, "GET", "/api/cache/status/", {"Authorization": authorization})
    return status["version"] if status["enabled"] else None


def clear(base_url, authorization):
    """Makes everything cached for the caller out of date; the new version."""
    return call(base_url, "POST", "/api/cache/clear/", {"Authorization": authorization})["version"]
