"""Whose view it is, and clears. No answer, however broken, raises: the application goes on without a cache."""

import hashlib
import json
import logging
import os
import re
import urllib.parse

from . import arguments
from .cache import Cache
from .owed import UNKNOWN, UNKNOWN_CALLER, UNKNOWN_USER, Owed
from .transport import Request, Transport, Unavailable, Unsendable
from .unkept import Unkept
from .view import View

log = logging.getLogger("cachewarden")

_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
_WHO = ("Authorization", "Cookie", "X-API-Key")


class Client:
    """Thread-safe; one for a process.

    key: an API key of the scope admin, for clears of any user. timeout: seconds for a call. pause: seconds between
    tries while the service does not answer. context: an ssl.SSLContext in place of the default one.
    """

    def __init__(self, url, key=None, *, timeout=0.5, pause=1.0, context=None):
        self._key = arguments.key(key)
        self._transport = Transport(url, timeout=timeout, pause=pause, context=context)
        self._owed = Owed(pause)
        self._unkept = Unkept()

    @classmethod
    def from_environment(cls, **options):
        """By CACHEWARDEN_URL, and CACHEWARDEN_KEY or the file that CACHEWARDEN_KEY_FILE names."""
        return cls(os.environ["CACHEWARDEN_URL"], key_from_environment("CACHEWARDEN_KEY"), **options)

    def cache(self, key=None, *, namespace=None, credential=None):
        """The cache service, in the namespace of a key (default: the client's) or of the user of a credential."""
        key, credential = arguments.key(key), arguments.credential(credential)
        is_of_user = credential is not None or (arguments.namespace(namespace) or "").startswith("user:")
        if credential is None:
            credential = self._headers(key or self._key)
        return Cache(self._transport, self._owed, self._unkept, credential, namespace, is_of_user)

    def view(self, credential):
        """The caller's View: once for each request, before its data is read. credential: credential_of its headers."""
        return self._check(credential)[0]

    def clear(self, credential):
        """The caller clears their own view, ten times a minute at most; the new version, or None: it failed."""
        try:
            answer = self._transport.call(Request("POST", "/api/cache/clear/", dict(credential), may_repeat=True))
        except Unavailable as error:
            log.error("a user keeps an old view: %s", error)
            return None
        if answer.status != 200:
            log.error("a user keeps an old view: %s", answer)
            return None
        return _member(answer, "version")

    def clear_user(self, user_id):
        """Clears any user's view; the new version. None: it could not be sent now, and will be as soon as it can."""
        user_id = arguments.user_id(user_id)
        version, done = self._try_to_clear(user_id)
        if not done:
            self._owed.add(user_id, f"user {user_id}", lambda: self._try_to_clear(user_id)[1])
        return version

    def clear_subject(self, issuer, subject):
        """The same for another issuer's user, as its tokens name them. Who has not been here has no view."""
        subject = str(subject)
        version, done = self._try_to_clear_subject(issuer, subject)
        if not done:
            name = f"user {subject!r} of {issuer!r}"
            self._owed.add(UNKNOWN_USER, name, lambda: self._try_to_clear_subject(issuer, subject)[1])
        return version

    def clear_caller(self, credential, view=None):
        """The same for the caller, after a write of theirs; their new View. view: theirs, if that is known."""
        if view is None or view.user_id is None:
            view, is_final = self._check(credential)
            if not is_final:
                digest = hashlib.sha256(repr(sorted(credential.items())).encode()).hexdigest()
                name = f"caller {digest[:16]}"
                self._owed.add(UNKNOWN_CALLER, name, lambda: self._try_to_clear_caller(credential))
        if view.user_id is not None:
            version = self.clear_user(view.user_id)
            is_on = view.version is not None and version is not None
            return View(view.user_id, version) if is_on else View(view.user_id, must_bypass=True)
        return view

    def user_of(self, issuer, subject):
        """The number here of another issuer's user. None: they have not been here, or there is no answer."""
        return self._try_to_find(issuer, str(subject))[0]

    def wait_for_owed(self, timeout):
        """Until every clear was sent: before a process ends. False: some were not after so many seconds."""
        return self._owed.wait(timeout)

    def close(self):
        self._transport.close()

    # ---- one try each: (what came of it, whether it is done) ----

    def _check(self, credential):
        who = {name: credential[name] for name in _WHO if name in credential}
        if not who:
            return View(), True
        owed_before = self._owed.scopes()  # what is cleared meanwhile may be cleared after the answer was made
        try:
            answer = self._ask(Request("GET", "/api/cache/check/", who, may_repeat=True))
        except Unsendable:
            return View(), True
        if answer is None:
            return View(must_bypass=True), False
        if answer.status in (401, 403):  # none that is good here, or a key that speaks for no user
            return View(), True
        user_id = _number(answer.get("x-user-id"))
        if answer.status != 204 or user_id is None:
            log.warning("a request goes without a cache: /api/cache/check/ gave %s", answer)
            return View(must_bypass=True), 400 <= answer.status < 500
        owed = {*owed_before, *self._owed.scopes()} & {user_id, *UNKNOWN}
        version = None if owed else _number(answer.get("x-cache-version"))
        is_on = version is not None and answer.get("x-cache-enabled") == "true"
        return (View(user_id, version) if is_on else View(user_id, must_bypass=True)), True

    def _try_to_clear(self, user_id):
        path = f"/api/server-management/clear-cache/?user_id={user_id}"
        # Raising the number twice drops no more than raising it once.
        answer = self._ask(Request("POST", path, self._headers(self._key), may_repeat=True))
        if answer is None:
            return None, False
        if answer.status == 200:
            version = _member(answer, "new_version")
            return version, version is not None  # a 200 of somebody else has cleared nothing
        log.error("user %d keeps an old view: %s", user_id, answer)
        return None, True

    def _try_to_clear_subject(self, issuer, subject):
        user_id, done = self._try_to_find(issuer, subject)
        return self._try_to_clear(user_id) if user_id else (None, done)

    def _try_to_clear_caller(self, credential):
        view, is_final = self._check(credential)
        return self._try_to_clear(view.user_id)[1] if view.user_id is not None else is_final

    def _try_to_find(self, issuer, subject):
        query = urllib.parse.urlencode({"issuer": issuer, "subject": subject})
        answer = self._ask(Request("GET", f"/api/v1/subjects?{query}", self._headers(self._key), may_repeat=True))
        if answer is None:
            return None, False
        if answer.status == 200:
            user_id = _member(answer, "user_id")
            return user_id, user_id is not None
        if answer.status != 404:
            log.error("nobody knows the number of %r of %r: %s", subject, issuer, answer)
        return None, True

    def _ask(self, request):
        """An answer that is final, or None: try again later."""
        try:
            answer = self._transport.call(request)
        except Unsendable:
            raise
        except Unavailable:
            return None
        if answer.status == 429 or answer.status >= 500:
            log.warning("%s %s is tried again: %s", request.method, request.path, answer)
            return None
        return answer

    @staticmethod
    def _headers(key):
        return {"X-API-Key": key} if key else {}


def key_from_environment(name):
    """An API key in a variable, or in the file that NAME_FILE names; None: neither."""
    path = os.environ.get(name + "_FILE")
    if not path:
        return os.environ.get(name)
    with open(path, encoding="ascii") as file:
        return file.read()


def _number(text):
    return int(text) if text and _NUMBER.fullmatch(text) else None


def _member(answer, name):
    """A positive number of a JSON body; None: there is none."""
    try:
        value = json.loads(answer.body)[name]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return value if type(value) is int and value > 0 else None
