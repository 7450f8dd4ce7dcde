#include "cachewarden/die.h"

#include "death.h"
#include "suite.h"

#include <fcntl.h>

static void say_why(void)
{
    die("%d of %s", 3, "them");
}

START_TEST(it_says_why_and_aborts)
{
    struct death death = death_of(say_why);
    ck_assert(death.aborted);
    ck_assert_str_eq(death.said, "cachewarden: 3 of them\n");
}
END_TEST

static void say_much(void)
{
    char text[2000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    die("%s", text);
}

START_TEST(a_long_reason_is_cut)
{
    struct death death = death_of(say_much);
    ck_assert(death.aborted);
    ck_assert_uint_gt(strlen(death.said), 400);
    ck_assert_int_eq(death.said[strlen(death.said) - 1], '\n');
}
END_TEST

/* The pipe behind standard error is full, and its reader (the parent) reads only the end of it. */
static void say_it_to_nobody(void)
{
    static const char bytes[4096];
    int ends[2];

    if (pipe(ends) != 0 || fcntl(ends[1], F_SETFL, O_NONBLOCK) != 0)
        _exit(1);
    while (write(ends[1], bytes, sizeof bytes) > 0)
        ;
    if (fcntl(ends[1], F_SETFL, 0) != 0 || dup2(ends[1], STDERR_FILENO) < 0)
        _exit(1);
    die("nobody reads this");
}

START_TEST(it_ends_though_nobody_reads_why)
{
    ck_assert(death_of(say_it_to_nobody).aborted);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/die");
    TCase *tcase = tcase_create("die");

    tcase_add_test(tcase, it_says_why_and_aborts);
    tcase_add_test(tcase, a_long_reason_is_cut);
    tcase_add_test(tcase, it_ends_though_nobody_reads_why);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
