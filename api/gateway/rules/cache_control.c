#include "gateway/rules/cache_control.h"

#include "gateway/rules/structured_field.h"

struct directive {
    struct str name;
    struct str argument; /* as it was written, in its quotes if it had any */
    bool has_argument;
};

static struct str unquoted(struct str text)
{
    if (quoted_string_length(text) == text.len && text.len >= 2)
        return str_sub(text, 1, text.len - 2);
    return text;
}

bool cache_seconds_parse(struct str text, int64_t *seconds_out)
{
    const struct str digits = unquoted(text);
    int64_t seconds = 0;

    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
        seconds = seconds * 10 + (digits.ptr[i] - '0');
        if (seconds > CACHE_SECONDS_MAX)
            seconds = CACHE_SECONDS_MAX;
    }
    if (digits.len > 0)
        *seconds_out = seconds;
    return digits.len > 0;
}

/* "max-age =5" is a max-age, and one that is malformed: what is before the "=" loses its blanks, what is behind not. */
static bool next_directive(struct field_list *list, struct directive *directive_out)
{
    struct str text;

    if (!field_list_next(list, &text))
        return false;
    const ptrdiff_t equals = str_find(text, '=');
    *directive_out = (struct directive){.name = text};
    if (equals >= 0) {
        const struct str before = str_sub(text, 0, (size_t)equals);

        directive_out->name = str_trim(before);
        directive_out->has_argument = true;
        directive_out->argument = before.len == directive_out->name.len
                                      ? str_sub(text, (size_t)equals + 1, text.len)
                                      : STR(" ");
    }
    return true;
}

/* Whether an argument is a list of names of fields, as of no-cache="set-cookie". */
static bool names_fields(const struct directive *directive)
{
    struct field_list list = field_list_in(unquoted(directive->argument));
    struct str name;
    size_t count = 0;

    for (; field_list_next(&list, &name); count++)
        if (!str_is_token(name))
            return false;
    return count > 0;
}

/* Of a number that may be there twice: the first, or `other` where they differ. */
static void put_seconds(int64_t *seconds, const struct directive *directive, int64_t malformed)
{
    int64_t value = malformed;

    if (!directive->has_argument || !cache_seconds_parse(directive->argument, &value))
        value = malformed;
    if (*seconds == CACHE_NOT_TOLD)
        *seconds = value;
    else if (*seconds != value)
        *seconds = malformed;
}

static void put_response_directive(struct response_directives *all, const struct directive *one)
{
    if (str_eq_nocase(one->name, STR("no-store")))
        all->no_store = true;
    else if (str_eq_nocase(one->name, STR("no-cache")))
        all->no_cache = all->no_cache || !names_fields(one);
    else if (str_eq_nocase(one->name, STR("private")))
        all->is_private = all->is_private || !names_fields(one);
    else if (str_eq_nocase(one->name, STR("public")))
        all->is_public = true;
    else if (str_eq_nocase(one->name, STR("must-revalidate")))
        all->must_revalidate = true;
    else if (str_eq_nocase(one->name, STR("proxy-revalidate")))
        all->proxy_revalidate = true;
    else if (str_eq_nocase(one->name, STR("must-understand")))
        all->must_understand = true;
    else if (str_eq_nocase(one->name, STR("max-age")))
        put_seconds(&all->max_age_s, one, 0);
    else if (str_eq_nocase(one->name, STR("s-maxage")))
        put_seconds(&all->s_maxage_s, one, 0);
    else if (str_eq_nocase(one->name, STR("stale-while-revalidate")))
        put_seconds(&all->stale_while_revalidate_s, one, 0);
    else if (str_eq_nocase(one->name, STR("stale-if-error")))
        put_seconds(&all->stale_if_error_s, one, 0);
}

static const struct response_directives nothing_told = {
    .max_age_s = CACHE_NOT_TOLD,
    .s_maxage_s = CACHE_NOT_TOLD,
    .stale_while_revalidate_s = CACHE_NOT_TOLD,
    .stale_if_error_s = CACHE_NOT_TOLD,
};

/* A member that is ?0 is not there. false: a value that is not of the kind its directive has. */
static bool put_flag(bool *flag, const struct sf_member *member)
{
    *flag = member->kind == SF_BOOLEAN && member->integer == 1;
    return member->kind == SF_BOOLEAN;
}

static bool put_flag_or_names(bool *flag, const struct sf_member *member)
{
    const struct directive directive = {.argument = member->text};

    if (member->kind != SF_STRING)
        return put_flag(flag, member);
    *flag = !names_fields(&directive);
    return true;
}

static bool put_integer(int64_t *seconds, const struct sf_member *member)
{
    if (member->kind != SF_INTEGER)
        return false;
    *seconds = member->integer < 0 ? 0 : member->integer;
    if (*seconds > CACHE_SECONDS_MAX)
        *seconds = CACHE_SECONDS_MAX;
    return true;
}

/* Keys are in lower case, or they would be no keys. Those that are not known are left out. */
static bool put_member(struct response_directives *all, const struct sf_member *member)
{
    const struct {
        struct str key;
        bool *flag;
    } flags[] = {
        {STR("no-store"), &all->no_store},
        {STR("public"), &all->is_public},
        {STR("must-revalidate"), &all->must_revalidate},
        {STR("proxy-revalidate"), &all->proxy_revalidate},
        {STR("must-understand"), &all->must_understand},
    };
    const struct {
        struct str key;
        int64_t *seconds;
    } numbers[] = {
        {STR("max-age"), &all->max_age_s},
        {STR("s-maxage"), &all->s_maxage_s},
        {STR("stale-while-revalidate"), &all->stale_while_revalidate_s},
        {STR("stale-if-error"), &all->stale_if_error_s},
    };

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (str_eq(member->key, flags[i].key))
            return put_flag(flags[i].flag, member);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (str_eq(member->key, numbers[i].key))
            return put_integer(numbers[i].seconds, member);
    if (str_eq(member->key, STR("no-cache")))
        return put_flag_or_names(&all->no_cache, member);
    if (str_eq(member->key, STR("private")))
        return put_flag_or_names(&all->is_private, member);
    return true;
}

/* A field that is empty, no dictionary, or has a value of the wrong kind counts as absent, as a whole. */
static bool parse_targeted(const struct http_fields *fields, struct response_directives *all)
{
    struct sf_dictionary dictionary;

    if (fields_find(fields, STR("cdn-cache-control")) == NULL ||
        !sf_dictionary_parse(fields, STR("cdn-cache-control"), &dictionary) ||
        dictionary.count == 0)
        return false;
    *all = nothing_told;
    all->targeted = true;
    for (size_t i = 0; i < dictionary.count; i++)
        if (!put_member(all, &dictionary.members[i]))
            return false;
    return true;
}

void response_directives_parse(const struct http_fields *fields,
                               struct response_directives *directives_out)
{
    struct field_list list = field_list_of(fields, STR("cache-control"));
    struct directive directive;

    if (parse_targeted(fields, directives_out))
        return;
    *directives_out = nothing_told;
    while (next_directive(&list, &directive))
        put_response_directive(directives_out, &directive);
}

static void put_request_directive(struct request_directives *all, const struct directive *one)
{
    if (str_eq_nocase(one->name, STR("no-store")))
        all->no_store = true;
    else if (str_eq_nocase(one->name, STR("no-cache")))
        all->no_cache = true;
    else if (str_eq_nocase(one->name, STR("only-if-cached")))
        all->only_if_cached = true;
    else if (str_eq_nocase(one->name, STR("max-age")))
        put_seconds(&all->max_age_s, one, 0);
    else if (str_eq_nocase(one->name, STR("min-fresh")))
        put_seconds(&all->min_fresh_s, one, CACHE_SECONDS_MAX);
    else if (str_eq_nocase(one->name, STR("max-stale")) && !one->has_argument)
        all->max_stale_s = CACHE_SECONDS_MAX;
    else if (str_eq_nocase(one->name, STR("max-stale")))
        put_seconds(&all->max_stale_s, one, 0);
    else if (str_eq_nocase(one->name, STR("stale-if-error")))
        put_seconds(&all->stale_if_error_s, one, 0);
}

void request_directives_parse(const struct http_fields *fields,
                              struct request_directives *directives_out)
{
    struct field_list list = field_list_of(fields, STR("cache-control"));
    struct directive directive;

    *directives_out = (struct request_directives){
        .max_age_s = CACHE_NOT_TOLD,
        .min_fresh_s = CACHE_NOT_TOLD,
        .max_stale_s = CACHE_NOT_TOLD,
        .stale_if_error_s = CACHE_NOT_TOLD,
    };
    while (next_directive(&list, &directive))
        put_request_directive(directives_out, &directive);
    if (fields_find(fields, STR("cache-control")) == NULL)
        directives_out->no_cache = field_list_has(fields, STR("pragma"), STR("no-cache"));
}

static bool argument_names(struct str argument, struct str field_name)
{
    struct field_list list = field_list_in(argument);
    struct str name;

    while (field_list_next(&list, &name))
        if (str_eq_nocase(name, field_name))
            return true;
    return false;
}

/* Those of Cache-Control count although CDN-Cache-Control is there: to leave out one field more does no harm. */
bool response_directives_name(const struct http_fields *fields, struct str field_name)
{
    static const struct str lines[] = {STR("cache-control"), STR("cdn-cache-control")};

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct field_list list = field_list_of(fields, lines[i]);
        struct directive directive;

        while (next_directive(&list, &directive))
            if ((str_eq_nocase(directive.name, STR("no-cache")) ||
                 str_eq_nocase(directive.name, STR("private"))) &&
                argument_names(unquoted(directive.argument), field_name))
                return true;
    }
    return false;
}
