"""A shop in Django that uses docs/snippets/cachewarden_django.py as that says; see http/test_frameworks.c."""

import itertools
import os
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    CACHEWARDEN_ENTRIES_KEY=os.environ["CACHEWARDEN_ENTRIES_KEY"],
    CACHEWARDEN_KEY=os.environ["CACHEWARDEN_KEY"],
    CACHEWARDEN_TIMEOUT=int(os.environ["SHOP_TIMEOUT_MS"]) / 1000,
    CACHEWARDEN_URL=os.environ["CACHEWARDEN_URL"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    MIDDLEWARE=["cachewarden.django.CachewardenMiddleware"],
    ROOT_URLCONF=__name__,
)
django.setup()

from django.core.wsgi import get_wsgi_application
from django.db import connection, models, transaction
from django.http import HttpResponse
from django.urls import path

from cachewarden.django import cache_response, clear_model_on_commit
from cachewarden_django import count_orders, ready


class Order(models.Model):
    customer_id = models.BigIntegerField()

    class Meta:
        app_label = "shop"


ready(Order)
with connection.schema_editor() as editor:
    editor.create_model(Order)


def order():
    return Order.objects.create(customer_id=os.environ["ALICE_ID"])


def orders(request):
    if request.method == "POST":
        order()
        return HttpResponse(status=201)
    return count_orders(request, Order)


made = itertools.count(1)


@cache_response(600, models=[Order])
def summary(request):
    """How many summaries were made."""
    return HttpResponse(next(made))


def imported(request):
    """Orders came from elsewhere: no view is cleared, but what the cache service keeps of them."""
    clear_model_on_commit(Order)
    return HttpResponse(status=201)


def refused(request):
    with transaction.atomic():
        order()
        transaction.set_rollback(True)
    return HttpResponse(status=409)


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


urlpatterns = [
    path("orders", orders),
    path("summary", summary),
    path("imports", imported),
    path("refused", refused),
]
server = make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet)
print("http://127.0.0.1:%d" % server.server_port, flush=True)
server.serve_forever()
