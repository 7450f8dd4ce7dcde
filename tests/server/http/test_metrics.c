/* Counting by workers, and what is told of it. */
#include "http/metrics.h"
#include "suite.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static const struct route routes[] = {{.name = "first"}, {.name = "second"}};
static const struct route passed[] = {{.name = "gateway:/shop"}, {.name = "gateway:/"}};
static struct metrics *metrics;

static void set_up(void)
{
    const struct metrics_routes all = {routes, passed, 2, 2};

    ck_assert_int_eq(metrics_new(&all, 3, &metrics), ERR_OK);
}

static void tear_down(void)
{
    metrics_free(&metrics);
}

static bool tells(const char *line)
{
    struct strbuf text;
    strbuf_init(&text, NULL, 4096);
    metrics_write(metrics, &text);
    strbuf_add_char(&text, '\0');
    bool found = strstr(text.ptr, line) != NULL;
    strbuf_fini(&text);
    return found;
}

START_TEST(workers_add_up)
{
    metrics_count(metrics, 0, &routes[1], 200, 150000);
    metrics_count(metrics, 2, &routes[1], 204, 100000);
    metrics_count(metrics, 1, &routes[1], 503, INT64_C(7000000000));
    ck_assert(tells(
        "cachewarden_http_requests_total{route=\"second\",class=\"2xx\",status=\"200\"} 1\n"));
    ck_assert(tells(
        "cachewarden_http_requests_total{route=\"second\",class=\"2xx\",status=\"204\"} 1\n"));
    ck_assert(tells(
        "cachewarden_http_requests_total{route=\"second\",class=\"5xx\",status=\"503\"} 1\n"));
    ck_assert(!tells("cachewarden_http_requests_total{route=\"first\""));
    ck_assert(tells("_bucket{route=\"second\",le=\"0.0001\"} 1\n"));
    ck_assert(tells("_bucket{route=\"second\",le=\"0.00025\"} 2\n"));
    ck_assert(tells("_bucket{route=\"second\",le=\"5\"} 2\n"));
    ck_assert(tells("_bucket{route=\"second\",le=\"+Inf\"} 3\n"));
    ck_assert(tells("_sum{route=\"second\"} 7.000250000\n"));
    ck_assert(tells("_count{route=\"second\"} 3\n"));
}
END_TEST

/* Requests without a route are one line, whatever their paths; a row of a listener of its own counts
 * as the one of its name. */
START_TEST(other_rows)
{
    const struct route twin = {.name = "first"}, stranger = {.name = "third"};
    metrics_count(metrics, 0, NULL, 404, 1);
    metrics_count(metrics, 0, &stranger, 400, 1);
    metrics_count(metrics, 0, &twin, 200, 1);
    ck_assert(tells("{route=\"none\",class=\"4xx\",status=\"404\"} 1\n"));
    ck_assert(tells("{route=\"none\",class=\"4xx\",status=\"400\"} 1\n"));
    ck_assert(tells("{route=\"first\",class=\"2xx\",status=\"200\"} 1\n"));
    ck_assert(!tells("third"));
}
END_TEST

START_TEST(routes_of_the_gateway)
{
    metrics_count(metrics, 0, &passed[0], 200, 1);
    metrics_count(metrics, 1, &passed[1], 502, 1);
    ck_assert(tells("{route=\"gateway:/shop\",class=\"2xx\",status=\"200\"} 1\n"));
    ck_assert(tells("{route=\"gateway:/\",class=\"5xx\",status=\"502\"} 1\n"));
    ck_assert(tells("_count{route=\"gateway:/shop\"} 1\n"));
    ck_assert(!tells("{route=\"none\",class"));
}
END_TEST

/* What has gone out has a class, also where another server has made the status. */
START_TEST(no_status_of_ours)
{
    metrics_count(metrics, 0, &routes[0], 0, 1);
    metrics_count(metrics, 1, &passed[0], 299, 1);
    metrics_count(metrics, 1, &passed[0], 203, 1);
    metrics_count(metrics, 1, &passed[0], 599, 1);
    ck_assert(tells("{route=\"first\",class=\"none\",status=\"none\"} 1\n"));
    ck_assert(tells("{route=\"gateway:/shop\",class=\"2xx\",status=\"other\"} 2\n"));
    ck_assert(tells("{route=\"gateway:/shop\",class=\"5xx\",status=\"other\"} 1\n"));
}
END_TEST

enum { MANY = 20000 };

static void *count_many(void *arg)
{
    for (int i = 0; i < MANY; i++)
        metrics_count(metrics, *(const int *)arg, &routes[0], 200, i);
    return NULL;
}

START_TEST(nothing_is_lost)
{
    pthread_t threads[3];
    int workers[3] = {0, 1, 2};
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count_many, &workers[i]), 0);
    (void)tells(""); /* reading beside them */
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    char line[128];
    snprintf(line, sizeof line, "_count{route=\"first\"} %d\n", 3 * MANY);
    ck_assert(tells(line));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics");
    TCase *each = tcase_create("all");
    tcase_add_checked_fixture(each, set_up, tear_down);
    tcase_add_test(each, workers_add_up);
    tcase_add_test(each, other_rows);
    tcase_add_test(each, routes_of_the_gateway);
    tcase_add_test(each, no_status_of_ours);
    tcase_add_test(each, nothing_is_lost);
    suite_add_tcase(suite, each);
    return suite_run(suite);
}
