/* What stands at the ends of a secret by mistake. */
#include "cachewarden/secret.h"

#include "suite.h"

static const struct {
    struct str text, line;
} lines[] = {
    {STR(""), STR("")},           {STR("s"), STR("s")},         {STR("s\n"), STR("s")},
    {STR("s\r\n"), STR("s")},     {STR("s\n\n"), STR("s")},     {STR("s\r\n\r\n"), STR("s")},
    {STR("s\r"), STR("s\r")},     {STR("s\r\r\n"), STR("s\r")}, {STR("s \n"), STR("s ")},
    {STR("a\nb\n"), STR("a\nb")}, {STR("\r\n"), STR("")},
};

START_TEST(line_ends_are_not_part_of_it)
{
    struct str line = secret_line(lines[_i].text);
    ck_assert_msg(str_eq(line, lines[_i].line), "%d: %.*s", _i, STR_ARG(line));
}
END_TEST

static const struct {
    struct str secret;
    const char *fault;
} faults[] = {
    {STR(""), NULL},
    {STR("s"), NULL},
    {STR("a b\tc\rd"), NULL},
    {STR("s\xef\xbb\xbf"), NULL},
    {STR("s\r"), "ends in a carriage return"},
    {STR("s "), "ends in a blank"},
    {STR("s\t"), "ends in a blank"},
    {STR(" s"), "begins with a blank"},
    {STR("\ts"), "begins with a blank"},
    {STR("\xef\xbb\xbfs"), "begins with a byte order mark"},
    {STR("\xff\xfes\0"), "is UTF-16"},
    {STR("\xfe\xff\0s"), "is UTF-16"},
};

START_TEST(faults_at_its_edges)
{
    const char *fault = secret_edge_fault(faults[_i].secret);
    if (!faults[_i].fault)
        ck_assert_msg(!fault, "%d: %s", _i, fault);
    else
        ck_assert_msg(fault && strncmp(fault, faults[_i].fault, strlen(faults[_i].fault)) == 0,
                      "%d: %s", _i, fault ? fault : "none");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/secret");
    TCase *all = tcase_create("all");
    tcase_add_loop_test(all, line_ends_are_not_part_of_it, 0, sizeof lines / sizeof *lines);
    tcase_add_loop_test(all, faults_at_its_edges, 0, sizeof faults / sizeof *faults);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
