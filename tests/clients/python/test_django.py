"""The middleware, what is cached for a view, and clears of transactions, on the real Django."""

import unittest
import warnings

import django
from django.apps import AppConfig
from django.conf import settings

from stand_in import PATIENCE_S, StandIn, answer

KEPT = {}
MOST = 100_000
VIEWS = {"Bearer alice": ("7", "5"), "Bearer bob": ("8", "5"), "Bearer off": ("9", None)}


def answers(request):
    """As much of Cachewarden as a shop notices: views, clears, and entries without an end."""
    path = request.path.partition("?")[0]
    if path == "/api/cache/check/":
        user, version = VIEWS.get(request.headers.get("authorization"), (None, None))
        if user is None:
            return answer(401)
        enabled = "false" if version is None else "true"
        fields = {"X-Cache-Version": version} if version else {}
        return answer(204, {"X-User-Id": user, "X-Cache-Enabled": enabled, **fields})
    if path.startswith("/api/v1/entries/"):
        return entry(request, path)
    if path == "/api/v1/subjects":
        return answer(200, {}, b'{"user_id":70}')
    if path.startswith("/api/v1/models/"):
        KEPT.clear()
        return answer(200, {}, b'{"generation":2}')
    return answer(200, {}, b'{"new_version":6}')


def entry(request, path):
    if request.method == "PUT":
        if len(request.body) > MOST:
            return answer(413)
        KEPT[path] = request.headers["content-type"], request.body
        return answer(201)
    if request.method == "DELETE":
        return answer(200, {}, b'{"deleted":true}' if KEPT.pop(path, None) else b'{"deleted":false}')
    if path not in KEPT:
        return answer(404, {"X-Cache": "MISS", "X-Cache-Lease": "bGVhc2U"})
    media_type, body = KEPT[path]
    return answer(200, {"X-Cache": "HIT", "Content-Type": media_type}, body)


class ShopConfig(AppConfig):
    name, label = __name__, "shop"


SERVER = StandIn(answers)
settings.configure(
    ALLOWED_HOSTS=["*"],
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    CACHEWARDEN_URL=SERVER.url,
    CACHEWARDEN_KEY="admin",
    CACHEWARDEN_ENTRIES_KEY="entries",
    CACHEWARDEN_TIMEOUT=PATIENCE_S,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[f"{__name__}.ShopConfig"],
    MIDDLEWARE=["cachewarden.django.CachewardenMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of a test",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
)
django.setup()

from django.core.cache import CacheKeyWarning
from django.core.cache import cache as djangos_cache
from django.db import connection, models, transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.template import engines
from django.template.response import TemplateResponse
from django.test import Client as Browser
from django.test.utils import override_settings
from django.urls import path

from cachewarden.django import (
    ClearingManager,
    cache_response,
    cached,
    clear_model_on_commit,
    clear_model_on_save,
    clear_on_commit,
    clear_on_save,
    client,
    remember,
)


class Cart(models.Model):
    customer_id = models.BigIntegerField()


class Item(models.Model):
    cart = models.ForeignKey(Cart, models.CASCADE)
    name = models.CharField(max_length=20, default="")
    objects = ClearingManager()


class Order(models.Model):
    customer_id = models.BigIntegerField(null=True)
    state = models.CharField(max_length=20, default="")
    objects = ClearingManager()


class Gift(models.Model):
    giver, taker = models.CharField(max_length=20), models.CharField(max_length=20)
    objects = ClearingManager()


clear_on_save(Order, "customer_id")
clear_on_save(Item, "cart__customer_id")
clear_on_save(Gift, lambda gift: [gift.giver, gift.taker], issuer="shop")
clear_model_on_save(Order)
with connection.schema_editor() as editor:
    for model in (Cart, Item, Order, Gift):
        editor.create_model(model)


def counted(body):
    """A view that tells how often it was asked."""
    counts = {}

    def view(request, **_):
        counts[request.get_full_path()] = counts.get(request.get_full_path(), 0) + 1
        return body(request, counts[request.get_full_path()])

    return view


def plain(request, count):
    return HttpResponse(f"{count}", content_type="text/csv")


def with_headers(**fields):
    def body(request, count):
        response = HttpResponse(f"{count}")
        for name, value in fields.items():
            response[name.replace("_", "-")] = value
        return response

    return body


def with_cookie(request, count):
    response = HttpResponse(f"{count}")
    response.set_cookie("a", "b")
    return response


def with_csrf(request, count):
    return HttpResponse(f"{count}{get_token(request) and ''}")


def with_session(request, count):
    request.session = type("Session", (), {"accessed": True})()
    return HttpResponse(f"{count}")


def template(request, count):
    return TemplateResponse(request, engines["django"].from_string("{{ count }}"), {"count": count})


def broken_template(request, count):
    return TemplateResponse(request, engines["django"].from_string("{{ broken }}"), {"broken": lambda: 1 / 0})


def write(request):
    Order.objects.create(customer_id=7)
    VIEWS["Bearer alice"] = ("7", "6")
    return HttpResponse(status=201)


count = {"data": 0, "entry": 0}


def more(name):
    count[name] += 1
    return count[name]


def page(name, body, **options):
    return path(name, cache_response(60, models=[Order], **options)(counted(body)))


urlpatterns = [
    path("write", write),
    path("data", lambda request: HttpResponse(cached(request, "data", lambda: more("data")))),
    path("name", lambda request: HttpResponse(cached(request, "all the d\xe4ta", lambda: more("data")))),
    path("entry", lambda request: HttpResponse(
        remember(request, "entry", fill=lambda: more("entry"), models=[Order]))),
    page("page", plain),
    page("public", plain, public=True),
    page("language", with_headers(Vary="Accept-Language, Cookie"), vary=["Accept-Language"]),
    page("template", template),
    page("broken_template", broken_template),
    page("public_session", with_session, public=True),
    page("public_private", with_headers(Cache_Control="private"), public=True),
    page("vary", with_headers(Vary="Accept-Language")),
    page("no_store", with_headers(Cache_Control="no-store")),
    page("cookie", with_cookie),
    page("csrf", with_csrf),
    page("stream", lambda request, count: StreamingHttpResponse([f"{count}"])),
    page("error", lambda request, count: 1 / 0),
    page("huge", lambda request, count: HttpResponse("x" * MOST)),
    page("trouble", lambda request, count: HttpResponse(f"{count}", status=503)),
]


def get(target, who=None, raise_errors=True, **headers):
    extra = {"HTTP_AUTHORIZATION": f"Bearer {who}"} if who else {}
    extra.update({f"HTTP_{name.upper()}": value for name, value in headers.items()})
    return Browser(raise_request_exception=raise_errors).get(target, **extra)


def text(target, who=None, **headers):
    return b"".join(get(target, who, **headers)).decode()


class Shop(unittest.TestCase):
    def setUp(self):
        KEPT.clear()
        VIEWS["Bearer alice"] = ("7", "5")
        djangos_cache.clear()
        for model in (Item, Cart, Order, Gift):
            model._base_manager.all()._raw_delete("default")
        client()._owed.wait(0)
        SERVER.requests.clear()

    def sent(self):
        """The clears since it was last asked."""
        found = [request.path for request in SERVER.requests if request.method in ("POST", "DELETE")]
        SERVER.requests.clear()
        users = sorted(int(path.partition("user_id=")[2]) for path in found if "user_id=" in path)
        return users, [path for path in found if "/models/" in path]


class Middleware(Shop):
    def test_tells_the_page_the_version(self):
        response = get("/data", "alice")
        self.assertEqual((response["X-Cache-Enabled"], response["X-Cache-Version"]), ("true", "5"))
        self.assertEqual(response["X-User-Id"], "7")

    def test_says_nothing_to_nobody(self):
        for who in (None, "stranger"):
            response = get("/data", who)
            self.assertFalse({"X-Cache-Enabled", "X-Cache-Version", "X-User-Id"} & set(response.headers))

    def test_has_the_page_go_past_its_copy(self):
        response = get("/data", "off")
        self.assertEqual((response["X-Cache-Enabled"], response.get("X-Cache-Version")), ("false", None))

    def test_tells_of_a_clear_with_the_answer_to_the_write(self):
        response = Browser().post("/write", HTTP_AUTHORIZATION="Bearer alice")
        self.assertEqual((response.status_code, response["X-Cache-Version"]), (201, "6"))

    def test_goes_on_alone(self):
        with override_settings(CACHEWARDEN_URL="http://127.0.0.1:1"):
            response = get("/entry", "alice")
            self.assertEqual((response.status_code, response["X-Cache-Enabled"]), (200, "false"))
            self.assertEqual(Browser().post("/write", HTTP_AUTHORIZATION="Bearer alice").status_code, 201)


class Data(Shop):
    def test_is_kept_for_a_user_a_version_and_a_query(self):
        for target in ("/data", "/entry"):
            with self.subTest(target):
                first = text(target, "alice")
                self.assertEqual(text(target, "alice"), first)
                pages = [text(target + "?page=2", "alice"), text(target, "bob")]
                VIEWS["Bearer alice"] = ("7", "6")
                pages.append(text(target, "alice"))
                self.assertEqual(len({first, *pages}), 4)
                VIEWS["Bearer alice"] = ("7", "5")

    def test_is_kept_for_nobody_in_particular_and_nobody_who_is_off(self):
        for target in ("/data", "/entry"):
            for who in (None, "off", "stranger"):
                with self.subTest(target, who=who):
                    self.assertNotEqual(text(target, who), text(target, who))

    def test_has_a_key_that_any_cache_of_django_takes(self):
        """Of one that memcached would refuse the others warn."""
        targets = ["/data?q=" + "q" * 300 + last for last in "ab"] + ["/data?q=" + "q" * 210, "/name"]
        with warnings.catch_warnings():
            warnings.simplefilter("error", CacheKeyWarning)
            found = [[text(target, "alice") for _ in range(2)] for target in targets]
        self.assertEqual([len(set(pair)) for pair in found], [1] * len(targets))
        self.assertEqual(len({first for first, _ in found}), len(targets))

    def test_in_the_cache_service_names_its_models(self):
        text("/entry?" + "q" * 600, "alice")  # longer than a label
        put = SERVER.requests[-1]
        self.assertEqual((put.method, put.path.partition("?")[2]), ("PUT", "model=shop.Order&ttl=3600"))
        self.assertEqual(put.headers["x-api-key"], "entries")


class Pages(Shop):
    def test_are_kept_for_a_user_a_version_and_a_query(self):
        self.assertEqual([text("/page", "alice") for _ in range(3)], ["1", "1", "1"])
        self.assertEqual(text("/page?page=2", "alice"), "1")
        self.assertEqual(text("/page", "bob"), "2")
        self.assertEqual(text("/page", "alice", host="other"), "3")
        VIEWS["Bearer alice"] = ("7", "6")
        self.assertEqual(text("/page", "alice"), "4")

    def test_come_back_with_their_fields(self):
        for _ in range(2):
            response = get("/page?fields", "alice")
            self.assertEqual((response["Content-Type"], response["X-Cache-Version"]), ("text/csv", "5"))

    def test_are_dropped_with_their_model(self):
        self.assertEqual([text("/page?drop", "alice") for _ in range(2)], ["1", "1"])
        Order.objects.create(customer_id=99)
        self.assertEqual(text("/page?drop", "alice"), "2")

    def test_of_nobody_are_kept_where_that_is_asked_for(self):
        self.assertEqual([text("/page?nobody") for _ in range(2)], ["1", "2"])
        self.assertEqual([text("/public?nobody") for _ in range(2)], ["1", "1"])

    def test_of_nobody_are_not_for_who_may_be_somebody(self):
        self.assertEqual(text("/public?somebody"), "1")
        self.assertEqual(text("/public?somebody", "stranger"), "2")
        self.assertEqual(text("/public?somebody", authorization="Basic eDp5"), "3")
        self.assertEqual(text("/public?somebody", cookie="__Host-cachewarden=a", authorization="Token x"), "4")
        self.assertEqual(text("/public?somebody", "off"), "5")
        self.assertEqual(text("/public?somebody"), "1")

    def test_are_kept_by_what_they_say_they_depend_on(self):
        languages = ["de", "en", "de", "en"]
        found = [text("/language", "alice", accept_language=language) for language in languages]
        self.assertEqual(found, ["1", "2", "1", "2"])

    def test_are_rendered_first(self):
        self.assertEqual([text("/template", "alice") for _ in range(2)], ["1", "1"])

    def test_that_cannot_be_rendered_are_the_views_own_error(self):
        for _ in range(2):
            self.assertRaises(ZeroDivisionError, get, "/broken_template", "alice")
        self.assertEqual(KEPT, {})

    def test_that_must_not_be_kept_are_not(self):
        for target in ("/vary", "/no_store", "/cookie", "/csrf", "/stream", "/trouble"):
            with self.subTest(target):
                self.assertEqual([text(target, "alice") for _ in range(2)], ["1", "2"])
        for target in ("/public_session", "/public_private"):
            with self.subTest(target):
                self.assertEqual([text(target) for _ in range(2)], ["1", "2"])

    def test_that_are_not_kept_are_not_waited_for(self):
        """No reader fills them, so the wait would be for nobody."""
        for target in ("/cookie?wait", "/trouble?wait", "/error?wait", "/huge?wait", "/broken_template?wait"):
            with self.subTest(target):
                SERVER.requests.clear()
                for _ in range(2):
                    get(target, "alice", raise_errors=False)
                asked = [request.path for request in SERVER.requests if request.method == "GET" and "/entries/" in request.path]
                self.assertEqual(["wait_ms" in path for path in asked], [True, False])

    def test_that_are_broken_in_the_cache_are_made_anew(self):
        self.assertEqual(text("/page?broken", "alice"), "1")
        for broken in (b"", b"\n", b"[]", b"[1]\nx", b'[["a","b\\r\\nc"]]\nx', b"\xff\n", b"[" * 100_000 + b"\n"):
            with self.subTest(broken[:20]):
                KEPT[next(iter(KEPT))] = "application/octet-stream", broken
                first = text("/page?broken", "alice")
                self.assertNotEqual(first, "1")
                self.assertNotEqual(text("/page?broken", "alice"), first)
                self.assertEqual(text("/page?broken", "alice"), text("/page?broken", "alice"))

    def test_wants_a_time_to_live_that_the_service_takes(self):
        self.assertRaises(ValueError, cache_response, 2_592_001, models=["Order"])
        self.assertRaises(ValueError, cache_response, 0)

    def test_are_for_reads(self):
        with self.assertRaises(Exception):
            @cache_response(60)
            async def view(request):
                pass


class Clears(Shop):
    def test_follow_a_save_and_a_deletion(self):
        order = Order.objects.create(customer_id=7)
        self.assertEqual(self.sent(), ([7], ["/api/v1/models/shop.Order"]))
        order.delete()
        self.assertEqual(self.sent(), ([7], ["/api/v1/models/shop.Order"]))

    def test_are_for_the_old_owner_as_well_as_the_new(self):
        order = Order.objects.create(customer_id=7)
        self.sent()
        order.customer_id = 8
        order.save()
        self.assertEqual(self.sent()[0], [7, 8])
        # Of a row that was never read.
        Order(pk=order.pk, customer_id=9).save()
        self.assertEqual(self.sent()[0], [8, 9])

    def test_of_a_transaction_are_joined_and_wait_for_its_end(self):
        with transaction.atomic():
            for customer in (7, 7, 8, 7):
                Order.objects.create(customer_id=customer)
            clear_on_commit(8)
            clear_model_on_commit("shop.Order", Cart)
            self.assertEqual(self.sent(), ([], []))
        self.assertEqual(self.sent(), ([7, 8], ["/api/v1/models/shop.Order", "/api/v1/models/shop.Cart"]))
        Order.objects.create(customer_id=7)
        self.assertEqual(self.sent()[0], [7])

    def test_of_what_was_rolled_back_are_not_sent(self):
        with transaction.atomic():
            Order.objects.create(customer_id=7)
            try:
                with transaction.atomic():
                    Order.objects.create(customer_id=8)
                    raise KeyError
            except KeyError:
                pass
        self.assertEqual(self.sent()[0], [7])
        try:
            with transaction.atomic():
                Order.objects.create(customer_id=7)
                raise KeyError
        except KeyError:
            pass
        self.assertEqual(self.sent(), ([], []))
        with transaction.atomic():
            Order.objects.create(customer_id=9)
        self.assertEqual(self.sent()[0], [9])

    def test_of_an_inner_part_that_was_rolled_back_do_not_take_others_along(self):
        with transaction.atomic():
            try:
                with transaction.atomic():
                    Order.objects.create(customer_id=7)
                    raise KeyError
            except KeyError:
                pass
            Order.objects.create(customer_id=7)
        self.assertEqual(self.sent()[0], [7])

    def test_find_the_owner_through_others(self):
        cart = Cart.objects.create(customer_id=7)
        item = Item.objects.create(cart=cart)
        self.assertEqual(self.sent()[0], [7])
        item.cart = Cart.objects.create(customer_id=8)
        item.save()
        self.assertEqual(self.sent()[0], [7, 8])
        cart.delete()
        self.assertEqual(self.sent()[0], [])
        item.cart.delete()
        self.assertEqual(self.sent()[0], [8])

    def test_of_nobody_are_none(self):
        Order.objects.create(customer_id=None)
        self.assertEqual(self.sent()[0], [])

    def test_of_another_issuers_users_ask_for_their_numbers(self):
        Gift.objects.create(giver="x", taker="y&z")
        subjects = sorted(path for path in SERVER.paths() if "subjects" in path)
        self.assertEqual([path.partition("?")[2] for path in subjects],
                         ["issuer=shop&subject=x", "issuer=shop&subject=y%26z"])
        self.assertEqual(self.sent()[0], [70, 70])

    def test_follow_what_sends_no_signal(self):
        Order.objects.bulk_create(Order(customer_id=customer) for customer in (7, 8, None))
        self.assertEqual(self.sent(), ([7, 8], ["/api/v1/models/shop.Order"]))
        Order.objects.filter(customer_id=7).update(state="paid")
        self.assertEqual(self.sent(), ([7], ["/api/v1/models/shop.Order"]))
        Order.objects.filter(customer_id=7).update(customer_id=9)
        self.assertEqual(self.sent()[0], [7, 9])
        order = Order.objects.get(customer_id=9)
        order.customer_id = 10
        Order.objects.bulk_update([order], ["customer_id"])
        self.assertEqual(self.sent()[0], [9, 10])

    def test_follow_an_update_through_others_and_by_a_function(self):
        carts = [Cart.objects.create(customer_id=customer) for customer in (7, 8)]
        Item.objects.bulk_create([Item(cart=carts[0]), Item(cart=carts[0])])
        self.assertEqual(self.sent()[0], [7])
        Item.objects.update(cart=carts[1])
        self.assertEqual(self.sent()[0], [7, 8])
        Gift.objects.bulk_create([Gift(giver="x", taker="y")])
        SERVER.requests.clear()
        Gift.objects.update(taker="z")
        self.assertEqual(sorted(path[-1] for path in SERVER.paths() if "subjects" in path), ["x", "y", "z"])

    def test_follow_an_update_of_more_rows_than_fit_into_a_query(self):
        carts = [Cart.objects.create(customer_id=customer) for customer in (7, 8)]
        Item.objects.bulk_create([Item(cart=carts[0]) for _ in range(1200)])
        self.sent()
        Item.objects.update(cart=carts[1])
        self.assertEqual(self.sent()[0], [7, 8])

    def test_of_an_update_that_was_rolled_back_are_not_sent(self):
        Order.objects.bulk_create([Order(customer_id=7)])
        self.sent()
        try:
            with transaction.atomic():
                Order.objects.update(customer_id=8)
                raise KeyError
        except KeyError:
            pass
        self.assertEqual(self.sent(), ([], []))


if __name__ == "__main__":
    unittest.main()
