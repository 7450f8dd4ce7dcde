"""Whose answer is being made, and the version of their cache."""

import re
from typing import NamedTuple, Optional

# The session of a browser that signed in at Cachewarden. Cookies of other things are nobody's, and stay here.
_SESSION = "__Host-cachewarden"
# What can be a credential. Longer than any token is: sent on, it would be an attack on the service.
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{1,16400}")


class View(NamedTuple):
    """View(7, 5): user 7, whose cache has version 5. View(): nobody in particular.

    must_bypass: there is somebody, but what is cached cannot be used: they switched it off, or nobody knows the
    version now.
    """

    user_id: Optional[int] = None
    version: Optional[int] = None
    must_bypass: bool = False

    def key(self, name):
        """The cache key of `name` in this view, or None: go to the source, and keep nothing."""
        return None if self.version is None else f"user:{self.user_id}:{self.version}:{name}"

    def headers(self):
        """For the page, which drops its copy when the version is another, and goes past it while it must.

        An answer for nobody in particular says nothing about anybody's copy.
        """
        if self.version is None and not self.must_bypass:
            return {}
        fields = {"X-Cache-Enabled": "false" if self.version is None else "true",
                  "X-Cache-Version": self.version, "X-User-Id": self.user_id}
        return {name: str(value) for name, value in fields.items() if value is not None}


def credential_of(headers):
    """What tells who sent a request, as headers to pass on: a bearer token, a session, or an API key.

    headers: anything with get(), of names in any case. Basic and the like are of other things.
    """
    authorization = headers.get("Authorization") or ""
    if authorization[:7].lower() == "bearer ":
        return _sendable({"Authorization": authorization})
    pairs = (headers.get("Cookie") or "").split(";")
    session = "; ".join(pair.strip() for pair in pairs if pair.partition("=")[0].strip() == _SESSION)
    if session:
        # With a write the session has to prove that a page of ours sends it.
        proof = {name: headers.get(name) for name in ("Origin", "X-XSRF-TOKEN")}
        return _sendable({"Cookie": session, **{name: value for name, value in proof.items() if value}})
    key = headers.get("X-API-Key")
    return _sendable({"X-API-Key": key}) if key else {}


def _sendable(credential):
    """Itself, or nothing: no good one looks like that."""
    return credential if all(map(_VALUE.fullmatch, credential.values())) else {}
