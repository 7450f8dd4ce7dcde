/* What every check program's main ends with. */
#ifndef CACHEWARDEN_TESTS_SUITE_H
#define CACHEWARDEN_TESTS_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Runs the suite and frees it; the exit status for main. */
static inline int suite_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
