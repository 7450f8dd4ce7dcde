"""Whole answers of a view, kept in the cache service."""

import functools
import inspect
import json

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse

from ..cache import WAIT_MS, check_ttl, shortened
from ..view import credential_of
from .config import cache_service, model_names


def cache_response(ttl, *, models=(), public=False, vary=()):
    """Keeps what a view answers to GET, for each user, version, host, path and query by itself.

    models: classes or names; after a write to one of them (clear_model_on_save) the answer is made anew.
    public: what nobody in particular gets is kept, too. Only where the request has no credential at all.
    vary: header fields of the request that the answer depends on: ["Accept-Language"].

    Kept are answers with 200 that are whole and set no cookie; with no-store, with a form's CSRF token, or with a
    Vary on anything else they are not.
    """

    check_ttl(ttl, models)

    def decorate(view):
        if inspect.iscoroutinefunction(view):
            raise ImproperlyConfigured("cache_response is for views that are def, not async def")

        @functools.wraps(view)
        def answer(request, *args, **kwargs):
            label = _label(request, public, vary)
            if label is None:
                return view(request, *args, **kwargs)
            names = model_names(models)
            found = cache_service().find(label, names, WAIT_MS)
            response = _unpacked(found.value) if found.is_hit and not found.lease else None
            if response is not None:
                return response
            if found.is_hit and not found.lease:
                cache_service().forget(label)  # nobody can read it, so somebody shall fill it
            try:
                response = view(request, *args, **kwargs)
            except BaseException:
                found.give_up()
                raise
            if found.lease:
                _when_rendered(response, lambda done: _keep(found, request, done, ttl, names, vary), found.give_up)
            return response

        return answer

    return decorate


def _label(request, public, vary):
    """None: go to the view, and keep nothing."""
    if request.method != "GET":
        return None
    page = [request.get_host() + request.get_full_path(), *(request.headers.get(name, "") for name in vary)]
    name = "page:" + "\n".join(page)
    if request.view.version is not None:
        label = request.view.key(name)
    elif public and not request.view.must_bypass and not _has_credential(request):
        label = "public:" + name
    else:
        return None
    return shortened(label)


def _has_credential(request):
    """Whoever sends one may be somebody to the application, even if Cachewarden does not know them."""
    return "Authorization" in request.headers or bool(credential_of(request.headers))


def _when_rendered(response, keep, give_up):
    if getattr(response, "is_rendered", True):
        keep(response)
        return
    response.add_post_render_callback(keep)
    render = response.render

    def render_or_give_up():
        del response.render  # Django may pickle it afterwards
        try:
            return render()
        except BaseException:
            give_up()
            raise

    response.render = render_or_give_up


def _keep(found, request, response, ttl, names, vary):
    if _may_be_kept(request, response, vary):
        found.fill(_packed(response), ttl, names)
    else:
        found.give_up()


def _may_be_kept(request, response, vary):
    if response.status_code != 200 or response.streaming or response.cookies:
        return False
    if request.META.get("CSRF_COOKIE_NEEDS_UPDATE") or request.META.get("CSRF_COOKIE_USED"):
        return False
    is_public = request.view.version is None
    control = response.get("Cache-Control", "").lower()
    if "no-store" in control or is_public and "private" in control:
        return False
    # A view that looked at the session may have answered a guest by name.
    if is_public and getattr(getattr(request, "session", None), "accessed", False):
        return False
    known = {name.lower() for name in vary} | (set() if is_public else {"authorization", "cookie"})
    return {name.strip().lower() for name in response.get("Vary", "").split(",") if name.strip()} <= known


def _packed(response):
    return json.dumps(list(response.items())).encode() + b"\n" + response.content


def _unpacked(value):
    """The answer; None: that is none."""
    try:
        head, mark, body = value.partition(b"\n")
        if not mark:
            return None
        response = HttpResponse(body)
        for name, text in json.loads(head):
            response[name] = text
        return response
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
