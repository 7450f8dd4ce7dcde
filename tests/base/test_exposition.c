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

int main(void)
{
    Suite *suite = suite_create("exposition");
    TCase *each = tcase_create("all");
    tcase_add_test(each, a_family);
    suite_add_tcase(suite, each);
    return suite_run(suite);
}
