/*
 * A structured field in lines: a dictionary or none. What is taken for one is inside its bounds, and has each key once;
 * a second line adds to it.
 */
#include "gateway/rules/structured_field.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static bool is_inside(struct str part, struct str whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void check_member(const struct sf_member *member, struct str bytes)
{
    must(member->key.len > 0 && is_inside(member->key, bytes));
    must(member->kind != SF_BOOLEAN || member->integer == 0 || member->integer == 1);
    must(member->kind != SF_INTEGER || (member->integer > -INT64_C(1000000000000000) &&
                                        member->integer < INT64_C(1000000000000000)));
    must(member->kind != SF_STRING || is_inside(member->text, bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct str bytes = {(const char *)data, size};
    struct http_field items[2] = {{STR("d"), bytes}, {STR("D"), STR("z=1")}};
    const struct http_fields one = {items, 1}, two = {items, 2};
    static struct sf_dictionary dictionary, with_another;

    if (!sf_dictionary_parse(&one, STR("d"), &dictionary)) {
        must(!sf_dictionary_parse(&two, STR("d"), &with_another));
        return 0;
    }
    must(dictionary.count <= SF_MEMBERS_MAX);
    for (size_t i = 0; i < dictionary.count; i++) {
        check_member(&dictionary.members[i], bytes);
        for (size_t j = 0; j < i; j++)
            must(!str_eq(dictionary.members[i].key, dictionary.members[j].key));
    }
    if (sf_dictionary_parse(&two, STR("d"), &with_another))
        must(with_another.count == dictionary.count || with_another.count == dictionary.count + 1);
    else
        must(dictionary.count == SF_MEMBERS_MAX);
    return 0;
}
