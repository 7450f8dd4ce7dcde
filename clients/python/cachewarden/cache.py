"""The cache service: values of any application under labels, dropped one by one, by model, or all at once.

No answer, however broken, raises. While the service is away everything is a miss, and remember() asks the source.
"""

import hashlib
import json
import logging
import re
import urllib.parse

from . import arguments, values
from .transport import Request, Unavailable

log = logging.getLogger("cachewarden")

MAX_LABEL = 512
MAX_MODELS = 16
MAX_TTL = 315_360_000
MAX_TTL_WITH_MODELS = 30 * 24 * 3600
WAIT_MS = 200  # for another reader's fill
_LABEL = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_MODEL = re.compile(r"[^\x00-\x1f\x7f-\x9f/\ud800-\udfff]+")
_HALF = re.compile(r"[\ud800-\udfff]")  # of a character that UTF-16 has two of
_ENTRIES = "/api/v1/entries"


class Found:
    """What a label has now. After a miss, and at times shortly before an end, it is this reader's turn to fill it."""

    __slots__ = ("is_hit", "value", "lease", "_cache", "_label")

    def __init__(self, cache, label, is_hit=False, value=None, lease=None):
        self._cache, self._label = cache, label
        self.is_hit, self.value, self.lease = is_hit, value, lease

    def fill(self, value, ttl=None, models=()):
        """Stores what was read from the source since. If a clear came in between it is never served."""
        check_ttl(ttl, models)
        try:
            encoded = values.encode(value)
        except Exception:
            self.give_up()
            raise
        self._fill(encoded, ttl, models)

    def give_up(self):
        """Nothing is filled: for ten seconds this process does not wait for a fill of the label."""
        self._note(False)

    def _fill(self, encoded, ttl, models):
        if self.lease:
            answer = self._cache._put(self._label, encoded, ttl, models, {"X-Cache-Lease": self.lease})
            self._note(answer is not None and answer.status in (201, 204))

    def _note(self, is_kept):
        """Of a miss: after a refresh that failed the value is still there."""
        if self.lease and not self.is_hit:
            self._cache._unkept.note((self._cache._scope, self._label), is_kept)


class Cache:
    """A namespace of the cache service; Client.cache() makes one. Thread-safe.

    A label is 1 to 512 bytes of UTF-8; "." and ".." are none, not between slashes either. A value is bytes or what
    JSON has, with keys that are str; a tuple comes back as a list. ttl: seconds, of what names a model those of 30 days
    at most. models: names; clear_model() of any of them drops the value.
    """

    def __init__(self, transport, owed, unkept, credential, namespace=None, is_of_user=False):
        self._transport, self._owed, self._unkept, self._is_of_user = transport, owed, unkept, is_of_user
        self._credential, self._namespace = dict(credential), namespace
        self._scope = ("entries", tuple(self._credential.items()), namespace)

    def remember(self, label, *, fill, ttl=None, models=(), wait_ms=WAIT_MS):
        """The value of a label, or what fill() returns, which is stored.

        Of many that miss it at once one fills; the others wait up to wait_ms for that, and then ask the source, too.
        After a fill that was not kept (an error, a value that JSON has not, a refusal) nobody waits for ten seconds.
        """
        check_ttl(ttl, models)
        if not callable(fill):
            raise TypeError(f"fill is a function, not {fill!r}")
        found = self.find(label, models, wait_ms)
        if found.is_hit and not found.lease:
            return found.value
        try:
            value = fill()
        except BaseException as error:
            found.give_up()
            if not found.is_hit or not isinstance(error, Exception):
                raise
            log.exception("%r could not be refreshed", label)
            return found.value
        try:
            encoded = values.encode(value)
        except (TypeError, ValueError, RecursionError) as error:
            log.error("%r cannot be kept: %s", label, error)
            found.give_up()
            return value
        found._fill(encoded, ttl, models)
        return values.decode(*encoded)  # what was made now and what is found later are alike

    def get(self, label, default=None, models=()):
        found = self.find(label, models)
        return found.value if found.is_hit else default

    def find(self, label, models=(), wait_ms=0):
        """What remember() is made of: a Found."""
        arguments.wait_ms(wait_ms)
        if self._unkept.holds((self._scope, label)):
            wait_ms = 0
        query = [("model", model) for model in _names(models)]
        query += [("wait_ms", wait_ms)] if wait_ms else []
        answer = self._read("GET", self._entry(label, query), wait_ms)
        if answer is None:
            return Found(self, label)
        lease, says = answer.get("x-cache-lease"), answer.get("x-cache")
        if answer.status == 404 and says == "MISS":
            return Found(self, label, lease=lease)
        if answer.status == 200 and says == "HIT":
            return self._hit(label, answer, lease)
        self._refused("reading", label, answer)
        return Found(self, label)

    def exists(self, label):
        answer = self._read("HEAD", self._entry(label))
        return answer is not None and answer.status == 200 and answer.get("x-cache") == "HIT"

    def set(self, label, value, ttl=None, models=(), *, only_new=False):
        """Whether it was stored. only_new: only if the label has nothing.

        When it was not, the label is forgotten: an older value must not stay.
        """
        check_ttl(ttl, models)
        answer = self._put(label, values.encode(value), ttl, models, {"If-None-Match": "*"} if only_new else {})
        if answer is None or answer.status not in (201, 204, 412):
            self.forget(label)
            return False
        return answer.status != 412 and answer.get("x-cache-enabled") != "false"

    def forget(self, label):
        """Drops one value. Whether there was one, as far as that is known. A fill under way may bring it back."""
        return self._drop(self._entry(label), f"entry {label!r}", "deleted") is True

    def clear_model(self, model):
        """Drops every value that names the model. None: it could not be sent now, and will be as soon as it can."""
        names = _names(model)
        if len(names) != 1:
            raise ValueError("one model is cleared at a time")
        (model,) = names
        return self._drop(self._path(f"/api/v1/models/{_quoted(model)}"), f"model {model!r}", "generation")

    def clear(self):
        """Drops the namespace; as above. The service takes ten a minute; the next is sent when it may be."""
        return self._drop(self._path(_ENTRIES), f"namespace {self._namespace or 'of a key'}", "generation")

    def clear_matching(self, pattern):
        """Starts to drop the labels that a pattern matches ("products:*"), one by one.

        The id of the job, or None: it was not started. What a clear promises to fills that are under way this does not.
        """
        if not isinstance(pattern, str) or not pattern:
            raise ValueError("a pattern is a str that is not empty; clear() drops everything")
        if _HALF.search(pattern):
            log.warning("%r matches no label", pattern)
            return None
        answer = self._ask("DELETE", self._path(_ENTRIES, [("pattern", pattern)]))
        if answer is not None and answer.status == 202:
            return _member(answer, "id")
        log.error("%r was not cleared: %s", pattern, answer or "no answer")
        return None

    def job(self, job_id):
        """How far clear_matching() is: {"state": "running", "progress": …} and more. None: nobody knows."""
        answer = self._ask("GET", f"/api/v1/jobs/{_quoted(str(job_id))}", may_repeat=True)
        if answer is None or answer.status != 200:
            return None
        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def increment(self, label, by=1, ttl=None):
        """The new number. None: it was refused, and the log says why, or nobody knows whether it was counted.

        ttl: of a counter that begins with this.
        """
        check_ttl(ttl)
        if type(by) is not int:
            raise ValueError(f"by is a whole number, not {by!r}")
        body = {"by": by} if ttl is None else {"by": by, "ttl": ttl}
        path = self._entry(label, more="/increment")
        headers = {"Content-Type": values.JSON}
        answer = self._ask("POST", path, headers, json.dumps(body).encode())
        if answer is None:
            return None
        value = _member(answer, "value")
        if answer.status != 200 or type(value) is not int:
            self._refused("counting", label, answer)
            return None
        return value

    # ---- requests ----

    def _read(self, method, path, wait_ms=0):
        """The answer, or None: while a clear is owed what is there must not be used, nor what a user's clear drops."""
        if self._owed.holds(self._scope) or self._is_of_user and self._owed.holds_a_user():
            return None
        return self._ask(method, path, may_repeat=True, extra_s=wait_ms / 1000)

    def _put(self, label, encoded, ttl, models, headers):
        """The answer, or None. Never sent twice: the second could come after a clear that the first came before."""
        data, media_type = encoded
        query = [("model", model) for model in _names(models)] + ([("ttl", ttl)] if ttl is not None else [])
        answer = self._ask("PUT", self._entry(label, query), {"Content-Type": media_type, **headers}, data)
        if answer is not None and answer.status not in (201, 204, 412):
            self._refused("storing", label, answer)
        return answer

    def _drop(self, path, name, member):
        """Dropping twice drops no more than dropping once."""
        if path is None:
            return None
        result, done = self._try_to_drop(path, name, member)
        if not done:
            self._owed.add(self._scope, name, lambda: self._try_to_drop(path, name, member)[1])
        return result

    def _try_to_drop(self, path, name, member):
        answer = self._ask("DELETE", path, may_repeat=True)
        if answer is None or answer.status == 429 or answer.status >= 500:
            return None, False
        if answer.status != 200:
            log.error("%s keeps what is out of date: %s", name, answer)
            return None, True
        value = _member(answer, member)
        return value, value is not None  # a 200 of somebody else has dropped nothing

    def _ask(self, method, path, headers=None, body=None, *, may_repeat=False, extra_s=0):
        """The answer, or None; so it is for a label that is none, and for nobody, who has no namespace."""
        if path is None or not self._credential:
            return None
        request = Request(method, path, {**self._credential, **(headers or {})}, body, extra_s, may_repeat)
        try:
            return self._transport.call(request)
        except Unavailable:
            return None

    def _hit(self, label, answer, lease):
        is_ours = lease if answer.get("x-cache-refresh") == "1" else None
        try:
            return Found(self, label, True, values.decode(answer.body, answer.get("content-type")), is_ours)
        except ValueError as error:
            log.warning("%r has a value that is none: %s", label, error)
            self.forget(label)
            return Found(self, label)

    def _entry(self, label, query=(), more=""):
        """The path of a label; None: no label can be that, and nothing is asked."""
        if not isinstance(label, str):
            raise TypeError(f"a label is a str, not {label!r}")
        if not _LABEL.fullmatch(label) or len(label.encode()) > MAX_LABEL or _is_way(label):
            log.warning("%.80r cannot be a label: it is not cached", label)
            return None
        return self._path(f"{_ENTRIES}/{_quoted(label)}{more}", query)

    def _path(self, path, query=()):
        query = [*query, ("namespace", self._namespace)] if self._namespace else query
        return f"{path}?{urllib.parse.urlencode(query, quote_via=urllib.parse.quote)}" if query else path

    @staticmethod
    def _refused(what, label, answer):
        log.warning("%s %r: %s", what, label, answer)


def shortened(label):
    """A label, or one that fits and stands for it: queries can be of any length."""
    data = label.encode(errors="surrogatepass")
    if len(data) <= MAX_LABEL and label.isprintable() and not _is_way(label):
        return label
    start = "".join(c for c in label[:64] if c.isprintable()).replace("/", "|")
    return f"{start}:{hashlib.sha256(data).hexdigest()}"


def _is_way(name):
    """Proxies take a part of dots for a way to somewhere else, however it is written. The service refuses it."""
    return any(part in (".", "..") for part in name.split("/"))


def _quoted(name):
    """As a segment of a path."""
    return urllib.parse.quote(name, safe="")


def _is_model(name):
    return isinstance(name, str) and bool(_MODEL.fullmatch(name)) and len(name.encode()) <= 128 and not _is_way(name)


def _names(models):
    try:
        names = (models,) if isinstance(models, str) else tuple(dict.fromkeys(models))
    except TypeError:
        raise ValueError(f"no names of models: {models!r}") from None
    if len(names) > MAX_MODELS or not all(map(_is_model, names)):
        raise ValueError(f"models are at most {MAX_MODELS} names of 1 to 128 bytes without a slash")
    return names


def check_ttl(ttl, models=()):
    most = MAX_TTL_WITH_MODELS if models else MAX_TTL
    if ttl is not None and (type(ttl) is not int or not 1 <= ttl <= most):
        range_of = f"1 to {most}{' with a model' if models else ''}"
        raise ValueError(f"ttl is a whole number of seconds, {range_of}, not {ttl!r}")


def _member(answer, name):
    try:
        return json.loads(answer.body).get(name)
    except (ValueError, AttributeError, RecursionError):
        return None
