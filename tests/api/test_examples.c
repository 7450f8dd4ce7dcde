/* The table of examples, held against the table of routes. */
#include "suite.h"

#include "cachewarden/examples.h"
#include "cachewarden/json.h"
#include "cachewarden/routes.h"

#include <check.h>
#include <string.h>

static const struct route *route_named(const char *name)
{
    size_t count;
    const struct route *routes = routes_table(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(routes[i].name, name) == 0)
            return &routes[i];
    return NULL;
}

START_TEST(every_route_has_one_that_goes_well)
{
    size_t count, examples_count;
    const struct route *routes = routes_table(&count);
    const struct route_example *examples = routes_examples(&examples_count);
    for (size_t i = 0; i < count; i++) {
        bool found = false;
        for (size_t e = 0; e < examples_count && !found; e++)
            found = strcmp(examples[e].route, routes[i].name) == 0 && examples[e].status < 300 &&
                    examples[e].given != GIVEN_REDIS_DOWN;
        ck_assert_msg(found, "%s has no example: add one to api/examples.def", routes[i].name);
    }
}
END_TEST

START_TEST(every_one_belongs_to_a_route)
{
    size_t count;
    const struct route_example *examples = routes_examples(&count);
    for (size_t i = 0; i < count; i++) {
        const struct route_example *example = &examples[i];
        ck_assert_msg(route_named(example->route) != NULL, "%s is no route", example->route);
        ck_assert_uint_gt(strlen(example->summary), 0);
        for (size_t j = 0; j < i; j++)
            ck_assert_msg(strcmp(examples[j].route, example->route) != 0 ||
                              examples[j].status != example->status ||
                              strcmp(examples[j].label, example->label) != 0,
                          "%s has two examples %s", example->route, example->label);
    }
}
END_TEST

static void check_json(struct arena *arena, const char *text, const char *route)
{
    const struct json *value;
    struct error error = {0};
    if (text && text[0] == '{')
        ck_assert_msg(json_parse(arena, str_from(text), &value, &error) == ERR_OK, "%s: %s", route,
                      error.caller);
}

START_TEST(their_bodies_can_be_read)
{
    size_t count;
    const struct route_example *examples = routes_examples(&count);
    struct arena *arena = arena_new(4096, 0);
    for (size_t i = 0; i < count; i++) {
        check_json(arena, examples[i].body, examples[i].route);
        check_json(arena, examples[i].reply, examples[i].route);
        bool may_be_empty = examples[i].status == 201 || examples[i].status == 204 ||
                            examples[i].status == 304 || examples[i].status >= 400;
        ck_assert_msg(examples[i].reply || may_be_empty, "%s: %s has no body", examples[i].route,
                      examples[i].label);
    }
    arena_free(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("examples");
    TCase *each = tcase_create("all");
    tcase_add_test(each, every_route_has_one_that_goes_well);
    tcase_add_test(each, every_one_belongs_to_a_route);
    tcase_add_test(each, their_bodies_can_be_read);
    suite_add_tcase(suite, each);
    return suite_run(suite);
}
