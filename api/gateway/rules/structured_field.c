#include "gateway/rules/structured_field.h"

static bool take_char(struct str *rest, char c)
{
    if (rest->len == 0 || rest->ptr[0] != c)
        return false;
    *rest = str_sub(*rest, 1, rest->len);
    return true;
}

static void skip_spaces(struct str *rest)
{
    while (take_char(rest, ' ')) {
    }
}

static void skip_blanks(struct str *rest)
{
    while (take_char(rest, ' ') || take_char(rest, '\t')) {
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_alpha(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

static bool is_key_char(char c)
{
    return is_lower(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '*';
}

static bool is_token_char(char c)
{
    return c == ':' || c == '/' || str_is_token((struct str){&c, 1});
}

static bool is_base64_char(char c)
{
    return is_alpha(c) || is_digit(c) || c == '+' || c == '/' || c == '=';
}

/* As many as there are, from the front. */
static struct str take_run(struct str *rest, bool (*belongs)(char c))
{
    size_t length = 0;

    while (length < rest->len && belongs(rest->ptr[length]))
        length++;
    struct str run = str_sub(*rest, 0, length);
    *rest = str_sub(*rest, length, rest->len);
    return run;
}

static bool take_key(struct str *rest, struct str *key_out)
{
    if (rest->len == 0 || (!is_lower(rest->ptr[0]) && rest->ptr[0] != '*'))
        return false;
    *key_out = take_run(rest, is_key_char);
    return true;
}

/* At most 15 digits; with a fraction at most 12 before it and 3 of it. */
static bool take_sf_number(struct str *rest, struct sf_member *member)
{
    const bool negative = take_char(rest, '-');
    const struct str whole = take_run(rest, is_digit);
    int64_t number = 0;

    if (whole.len == 0 || whole.len > 15)
        return false;
    if (take_char(rest, '.')) {
        const struct str fraction = take_run(rest, is_digit);

        member->kind = SF_OTHER;
        return whole.len <= 12 && fraction.len >= 1 && fraction.len <= 3;
    }
    for (size_t i = 0; i < whole.len; i++)
        number = number * 10 + (whole.ptr[i] - '0');
    member->kind = SF_INTEGER;
    member->integer = negative ? -number : number;
    return true;
}

static bool take_sf_string(struct str *rest, struct sf_member *member)
{
    const struct str text = *rest;

    for (size_t i = 1; i < text.len; i++) {
        const char c = text.ptr[i];

        if (c == '"') {
            member->kind = SF_STRING;
            member->text = str_sub(text, 1, i - 1);
            *rest = str_sub(text, i + 1, text.len);
            return true;
        }
        if (c < ' ' || c > '~')
            return false;
        if (c == '\\' && (++i == text.len || (text.ptr[i] != '"' && text.ptr[i] != '\\')))
            return false;
    }
    return false;
}

static bool take_bare_item(struct str *rest, struct sf_member *member)
{
    const char first = rest->len > 0 ? rest->ptr[0] : '\0';

    member->kind = SF_OTHER;
    if (first == '-' || is_digit(first))
        return take_sf_number(rest, member);
    if (first == '"')
        return take_sf_string(rest, member);
    if (first == '*' || is_alpha(first))
        return take_run(rest, is_token_char).len > 0;
    if (take_char(rest, ':')) {
        (void)take_run(rest, is_base64_char);
        return take_char(rest, ':');
    }
    if (!take_char(rest, '?') || rest->len == 0 || (rest->ptr[0] != '0' && rest->ptr[0] != '1'))
        return false;
    member->kind = SF_BOOLEAN;
    member->integer = rest->ptr[0] - '0';
    return take_char(rest, rest->ptr[0]);
}

static bool take_parameters(struct str *rest)
{
    struct sf_member unused;
    struct str key;

    while (take_char(rest, ';')) {
        skip_spaces(rest);
        if (!take_key(rest, &key) || (take_char(rest, '=') && !take_bare_item(rest, &unused)))
            return false;
    }
    return true;
}

static bool take_inner_list(struct str *rest, struct sf_member *member)
{
    member->kind = SF_OTHER;
    for (;;) {
        struct sf_member unused;

        skip_spaces(rest);
        if (take_char(rest, ')'))
            return true;
        if (!take_bare_item(rest, &unused) || !take_parameters(rest) ||
            (rest->len > 0 && rest->ptr[0] != ' ' && rest->ptr[0] != ')'))
            return false;
    }
}

static bool take_member(struct str *rest, struct sf_member *member)
{
    *member = (struct sf_member){.kind = SF_BOOLEAN, .integer = 1};
    if (!take_key(rest, &member->key))
        return false;
    if (take_char(rest, '=') &&
        !(take_char(rest, '(') ? take_inner_list(rest, member) : take_bare_item(rest, member)))
        return false;
    return take_parameters(rest);
}

static bool add_member(struct sf_dictionary *dictionary, const struct sf_member *member)
{
    for (size_t i = 0; i < dictionary->count; i++)
        if (str_eq(dictionary->members[i].key, member->key)) {
            dictionary->members[i] = *member;
            return true;
        }
    if (dictionary->count == SF_MEMBERS_MAX)
        return false;
    dictionary->members[dictionary->count++] = *member;
    return true;
}

/* Lines are joined with commas, so a line is a list of its own that does not begin or end with one. */
static bool parse_line(struct str line, struct sf_dictionary *dictionary)
{
    struct str rest = str_trim(line);
    struct sf_member member;

    while (rest.len > 0) {
        if (!take_member(&rest, &member) || !add_member(dictionary, &member))
            return false;
        skip_blanks(&rest);
        if (rest.len == 0)
            return true;
        if (!take_char(&rest, ','))
            return false;
        skip_blanks(&rest);
        if (rest.len == 0) /* nothing behind a comma */
            return false;
    }
    return true;
}

bool sf_dictionary_parse(const struct http_fields *fields, struct str name,
                         struct sf_dictionary *dictionary_out)
{
    dictionary_out->count = 0;
    for (size_t i = 0; i < fields->count; i++)
        if (str_eq_nocase(fields->items[i].name, name) &&
            !parse_line(fields->items[i].value, dictionary_out))
            return false;
    return true;
}
