/* The program that the tests of a folder are, where they are one: `tests test_x` runs those of test_x.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER_TEST(name) int name(void);
#include "folder_tests.def"
#undef FOLDER_TEST

static const struct {
    const char *name;
    int (*run)(void);
} tests[] = {
#define FOLDER_TEST(name) {#name, name},
#include "folder_tests.def"
#undef FOLDER_TEST
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof tests / sizeof *tests; i++)
        if (strcmp(argv[1], tests[i].name) == 0)
            return tests[i].run();
    fprintf(stderr, "usage: %s TEST\n", argv[0]);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        fprintf(stderr, "  %s\n", tests[i].name);
    return EXIT_FAILURE;
}
