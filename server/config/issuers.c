/* Other issuers of tokens: from settings to what auth/ is told, and whether it can be used. */
#include "config/config_private.h"

#include <stdio.h>
#include <stdlib.h>

static enum err fill(const struct config_issuer *issuer, struct arena *arena,
                     struct issuer_spec *spec)
{
    struct str *algorithms = arena_calloc(arena, issuer->algorithms.count, sizeof *algorithms);

    if (!algorithms)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < issuer->algorithms.count; i++)
        algorithms[i] = str_from(issuer->algorithms.items[i]);
    *spec = (struct issuer_spec){
        .name = str_from(issuer->issuer),
        .audience = str_from(issuer->audience),
        .algorithms = algorithms,
        .algorithm_count = issuer->algorithms.count,
        .jwks_file = str_from(issuer->jwks_file),
        .jwks_url = str_from(issuer->jwks_url),
        .secret_file = str_from(issuer->secret_file),
        .jwks_ca = str_from(issuer->jwks_ca),
        .user_claim = str_from(issuer->user_claim),
        .superuser_claim = str_from(issuer->superuser_claim),
        .groups_claim = str_from(issuer->groups_claim),
        .accounts = (enum issuer_accounts)issuer->accounts,
    };
    return ERR_OK;
}

_Static_assert(ISSUER_ACCOUNTS_PROVISION == 0 && ISSUER_ACCOUNTS_NONE == 1 &&
                   ISSUER_ACCOUNTS_LOCAL == 2,
               "in the order of the choices in config.def");

enum err config_issuer_specs(const struct config *config, struct arena *arena,
                             const struct issuer_spec **specs_out, size_t *count_out)
{
    size_t count = config->auth_issuers.count;
    const struct config_issuer *issuers = config->auth_issuers.items;
    struct issuer_spec *specs = arena_calloc(arena, count, sizeof *specs);
    enum err err = specs ? ERR_OK : ERR_NO_MEMORY;

    for (size_t i = 0; i < count && err == ERR_OK; i++)
        err = fill(&issuers[i], arena, &specs[i]);
    *specs_out = specs;
    *count_out = err == ERR_OK ? count : 0;
    return err;
}

/* ---- checks ---- */

static void check_name(const struct config *config, const struct config_issuer *issuers,
                       size_t index, struct config_report *report)
{
    const struct config_issuer *issuer = &issuers[index];
    char prefix[64];
    snprintf(prefix, sizeof prefix, "auth.issuers[%zu].", index);
    struct config_name name = {prefix, "issuer"};

    if (config->auth_issuer && strcmp(issuer->issuer, config->auth_issuer) == 0)
        config_error(report, &issuer->source, name,
                     "is that of auth.issuer, the name in our own tokens; they must differ");
    for (size_t i = 0; i < index; i++)
        if (issuers[i].issuer && strcmp(issuers[i].issuer, issuer->issuer) == 0)
            config_error(report, &issuer->source, name,
                         "is \"%.200s\", like that of auth.issuers[%zu]; names must differ",
                         issuer->issuer, i);
}

/* The older word, which left open what else the number is. */
static void check_accounts(const struct config_issuer *issuer, size_t index,
                           struct config_report *report)
{
    char prefix[64];

    if (issuer->provision || issuer->accounts != ISSUER_ACCOUNTS_PROVISION)
        return;
    snprintf(prefix, sizeof prefix, "auth.issuers[%zu].", index);
    config_error(report, &issuer->source, (struct config_name){prefix, "provision"},
                 "is false: say what its numbers are, with accounts = \"none\" or \"local\"");
}

static void check_issuer(const struct config_issuer *issuer, size_t index, struct arena *arena,
                         bool is_strict, struct config_report *report)
{
    char prefix[64];
    struct issuer_spec spec;
    struct error error;
    const char *field = NULL;
    bool is_file = false;
    enum err err = fill(issuer, arena, &spec);

    error_clear(&error);
    if (err == ERR_OK)
        err = issuer_check(&spec, &field, &error);
    if (err == ERR_OK) {
        is_file = true;
        err = issuer_check_files(&spec, &field, &error);
    }
    if (err == ERR_OK)
        return;
    snprintf(prefix, sizeof prefix, field ? "auth.issuers[%zu]." : "auth.issuers[%zu]", index);
    const struct config_name name = {prefix, field ? field : ""};
    const char *why = error.caller[0] ? error.caller : err_name(err);
    if (is_file && !is_strict)
        config_warning(report, &issuer->source, name,
                       "%s; tokens of this issuer are refused until it can be used", why);
    else
        config_error(report, &issuer->source, name, "%s", why);
}

/* What is missing or of the wrong type has been reported already. */
static bool is_whole(const struct config_issuer *issuer)
{
    return issuer->issuer && issuer->user_claim;
}

void config_check_issuers(const struct config *config, bool is_strict, struct config_report *report)
{
    const struct config_issuer *issuers = config->auth_issuers.items;
    struct arena *arena = arena_new(1024, 0);

    for (size_t i = 0; arena && i < config->auth_issuers.count; i++) {
        if (!is_whole(&issuers[i]))
            continue;
        check_name(config, issuers, i, report);
        check_accounts(&issuers[i], i, report);
        check_issuer(&issuers[i], i, arena, is_strict, report);
    }
    arena_free(&arena);
}
