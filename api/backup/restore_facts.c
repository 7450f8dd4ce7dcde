#include "backup/restore_facts.h"

#include "control/dataset.h"
#include "control/reserved.h"

#include <stdio.h>

#define INSTALL_FACT  "install_id"
#define LIFETIME_FACT "tokens_longest_s"

/* Versions of the backup go on in no way that its numbers make impossible (reserved.h). */
static int64_t higher(int64_t a, int64_t b, int64_t most)
{
    int64_t number = a > b ? a : b;

    return number < most ? number : most;
}

static enum err take_lifetime(struct str text, struct restored_facts *facts, struct error *error)
{
    int64_t longest_s = 0;

    if (!str_to_int64(text, 1, INT32_MAX, &longest_s))
        return error_set(error, ERR_BAD_INPUT, "facts: tokens_longest_s is no number");
    facts->longest_s = higher(facts->longest_s, longest_s, INT32_MAX);
    return ERR_OK;
}

static enum err take_reserved(struct str text, struct restored_facts *facts, struct error *error)
{
    struct reserved there;

    if (!reserved_parse(text, &there))
        return error_set(error, ERR_BAD_INPUT, "facts: versions_reserved holds something else");
    facts->term = higher(facts->term, there.term, INT64_MAX / 2);
    facts->reserved = higher(facts->reserved, there.up_to, VERSION_MAX);
    return ERR_OK;
}

static enum err take_fact(struct arena *arena, struct str line, struct restored_facts *facts,
                          struct error *error)
{
    struct str name, value;
    enum err err = users_copy_read_fact(arena, line, &name, &value, error);

    if (err)
        return err;
    if (str_eq(name, STR(INSTALL_FACT)))
        snprintf(facts->install, sizeof facts->install, "%.*s", STR_ARG(value));
    else if (str_eq(name, STR(LIFETIME_FACT)))
        return take_lifetime(value, facts, error);
    else if (str_eq(name, RESERVED_FACT))
        return take_reserved(value, facts, error);
    return ERR_OK;
}

enum err restore_facts_take(struct arena *arena, struct str lines, struct restored_facts *facts,
                            struct error *error)
{
    struct str line;
    enum err err = ERR_OK;

    while (!err && str_take_line(&lines, &line))
        err = take_fact(arena, line, facts, error);
    return err;
}

/* ---- into the database ---- */

static enum err put_install(struct users_import *import, struct arena *arena,
                            struct restored_facts *facts, struct error *error)
{
    struct str here, there = str_from(facts->install);

    if (!facts->may_become || !users_import_is_first(import) || there.len == 0)
        return ERR_OK;
    if (!dataset_is_id(there))
        return error_set(error, ERR_BAD_INPUT, "facts: install_id is no id");
    enum err err = users_import_fact_get(import, arena, STR(INSTALL_FACT), &here, error);
    if (!err && !str_eq(here, there)) {
        facts->has_become = true;
        err = users_import_fact_set(import, STR(INSTALL_FACT), there, error);
    }
    return err;
}

static enum err put_lifetime(struct users_import *import, struct arena *arena,
                             const struct restored_facts *facts, struct error *error)
{
    int64_t here_s = 0;
    struct str here;
    char digits[STR_INT64_SIZE];

    if (facts->longest_s == 0)
        return ERR_OK;
    enum err err = users_import_fact_get(import, arena, STR(LIFETIME_FACT), &here, error);
    if (err && err != ERR_NOT_FOUND)
        return err;
    if (!err)
        (void)str_to_int64(here, 1, INT32_MAX, &here_s);
    return facts->longest_s > here_s
               ? users_import_fact_set(import, STR(LIFETIME_FACT),
                                       str_of_int64(digits, facts->longest_s), error)
               : ERR_OK;
}

static enum err put_reserved(struct users_import *import, struct arena *arena,
                             const struct control_marks *marks, struct restored_facts *facts,
                             struct error *error)
{
    struct reserved here = {0};
    struct str text;
    enum err err = users_import_fact_get(import, arena, RESERVED_FACT, &text, error);

    if (err && err != ERR_NOT_FOUND)
        return err;
    if (!err && !reserved_parse(text, &here))
        return error_set_detail(error, ERR_INTERNAL,
                                "users database: versions_reserved holds something else");
    facts->term = higher(higher(facts->term, here.term, INT64_MAX / 2), marks->term, INT64_MAX / 2);
    facts->reserved =
        higher(higher(facts->reserved, here.up_to, VERSION_MAX),
               marks->reserved > marks->epoch ? marks->reserved : marks->epoch, VERSION_MAX);
    if (facts->term == 0)
        return ERR_OK;
    facts->term++;
    text = reserved_text(arena, facts->term, facts->reserved);
    return text.ptr ? users_import_fact_set(import, RESERVED_FACT, text, error) : ERR_NO_MEMORY;
}

enum err restore_facts_put(struct users_import *import, struct arena *arena,
                           const struct control_marks *marks, struct restored_facts *facts,
                           struct error *error)
{
    enum err err = put_install(import, arena, facts, error);

    if (!err)
        err = put_lifetime(import, arena, facts, error);
    return err ? err : put_reserved(import, arena, marks, facts, error);
}
