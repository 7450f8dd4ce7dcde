#include "suite.h"

#include "cachewarden/exposition.h"

#include <check.h>

START_TEST(a_family)
{
    struct strbuf text;
    strbuf_init(&text, NULL, 16);
    exposition_family(&text, "x_total", "counter", "What it is.");
    exposition_count(&text, "x_total", "route=\"a.b\"", 18446744073709551615U);
    exposition_seconds(&text, "x_seconds_sum", "", 1000000007);
    exposition_single(&text, "y", "gauge", "Another.", 0);
    strbuf_add_char(&text, '\0');
    ck_assert_str_eq(text.ptr, "# HELP x_total What it is.\n# TYPE x_total counter\n"
                               "x_total{route=\"a.b\"} 18446744073709551615\n"
                               "x_seconds_sum 1.000000007\n"
                               "# HELP y Another.\n# TYPE y gauge\ny 0\n");
    strbuf_fini(&text);
}
END_TEST

START_TEST(histograms)
{
    static const int64_t bounds[] = {2500, 50000000, 1000000000, 10000000000};
    static const int64_t sizes[] = {1, 10};
    static const uint64_t counts[] = {3, 0, 1, 0, 2};
    struct strbuf text;
    strbuf_init(&text, NULL, 16);
    const struct exposition_histogram times = {bounds, counts, 4, 61000000000, true};
    const struct exposition_histogram numbers = {sizes, counts, 2, 44, false};
    exposition_histogram(&text, "t", "pool=\"a\"", &times);
    exposition_histogram(&text, "s", "", &numbers);
    strbuf_add_char(&text, '\0');
    ck_assert_str_eq(text.ptr, "t_bucket{pool=\"a\",le=\"0.0000025\"} 3\n"
                               "t_bucket{pool=\"a\",le=\"0.05\"} 3\n"
                               "t_bucket{pool=\"a\",le=\"1\"} 4\n"
                               "t_bucket{pool=\"a\",le=\"10\"} 4\n"
                               "t_bucket{pool=\"a\",le=\"+Inf\"} 6\n"
                               "t_sum{pool=\"a\"} 61.000000000\n"
                               "t_count{pool=\"a\"} 6\n"
                               "s_bucket{le=\"1\"} 3\n"
                               "s_bucket{le=\"10\"} 3\n"
                               "s_bucket{le=\"+Inf\"} 4\n"
                               "s_sum 44\n"
                               "s_count 4\n");
    strbuf_fini(&text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("exposition");
    TCase *each = tcase_create("all");
    tcase_add_test(each, a_family);
    tcase_add_test(each, histograms);
    suite_add_tcase(suite, each);
    return suite_run(suite);
}
