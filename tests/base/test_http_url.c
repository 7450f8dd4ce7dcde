#include "cachewarden/http_client.h"

#include "suite.h"

static const struct {
    const char *text, *server, *authority, *host, *target;
    bool is_https, has_user, is_loopback;
} good[] = {
    {"http://shop", "http://shop", "shop", "shop", "", false, false, false},
    {"https://shop.example:8443/a/b?c=/d#e", "https://shop.example:8443", "shop.example:8443",
     "shop.example", "/a/b?c=/d", true, false, false},
    {"http://[::1]:65535/", "http://[::1]:65535", "[::1]:65535", "[::1]", "/", false, false, true},
    {"https://u:p@127.9.9.9/", "https://u:p@127.9.9.9", "u:p@127.9.9.9", "127.9.9.9", "/", true,
     true, true},
    {"http://LocalHost/", "http://LocalHost", "LocalHost", "LocalHost", "/", false, false, true},
    {"http://127.0.0.1@shop/", "http://127.0.0.1@shop", "127.0.0.1@shop", "shop", "/", false, true,
     false},
    {"http://127.0.0.1.example/", "http://127.0.0.1.example", "127.0.0.1.example",
     "127.0.0.1.example", "/", false, false, false},
    {"http://my_shop-2.example#x", "http://my_shop-2.example", "my_shop-2.example",
     "my_shop-2.example", "", false, false, false},
};

static const struct str bad[] = {
    {"", 0},
    {"shop", 4},
    {"//shop", 6},
    {"ftp://shop", 10},
    {"HTTP://shop", 11},
    {"http://", 7},
    {"http:///a", 9},
    {"http://:80/", 11},
    {"http://shop:/", 13},
    {"http://shop:0/", 14},
    {"http://shop:65536/", 18},
    {"http://shop:8x/", 15},
    {"http://shop?a", 13},
    {"http://shop\\a", 13},
    {"http://a@b@c/", 13},
    {"http://sh op/", 13},
    {"http://shop/\r\n", 14},
    {"http://shop/\0", 13},
    {"http://sh\0p/", 12},
    {"http://sh\xc3\xb6p/", 13},
    {"http://sh%6fp/", 14},
    {"http://[::1/", 12},
    {"http://[::1]80/", 15},
    {"http://[]/", 10},
    {"http://[/", 9},
    {"http://[127.0.0.1]/", 19},
    {"http://[fe80::1%25eth0]/", 24},
    {"http://::1/", 11},
};

START_TEST(good_urls)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct http_url url;
        ck_assert_msg(http_url_parse(str_from(good[i].text), &url), "%s", good[i].text);
        ck_assert_int_eq(url.is_https, good[i].is_https);
        ck_assert_int_eq(url.has_user, good[i].has_user);
        ck_assert(str_eq(url.server, str_from(good[i].server)));
        ck_assert(str_eq(url.authority, str_from(good[i].authority)));
        ck_assert_msg(str_eq(url.host, str_from(good[i].host)), "%.*s", STR_ARG(url.host));
        ck_assert(str_eq(url.target, str_from(good[i].target)));
        ck_assert_int_eq(http_url_is_loopback(&url), good[i].is_loopback);
    }
}
END_TEST

START_TEST(bad_urls)
{
    struct http_url url;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!http_url_parse(bad[i], &url), "%.*s", STR_ARG(bad[i]));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/http_url");
    TCase *tcase = tcase_create("http_url");

    tcase_add_test(tcase, good_urls);
    tcase_add_test(tcase, bad_urls);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
