/* What names, emails and groups may look like; see users.h. */
#include "cachewarden/users.h"

enum {
    USERNAME_MAX_SIZE = 150,
    EMAIL_MAX_SIZE = 254,  /* RFC 5321 section 4.5.3.1.3, less the angle brackets */
    MAILBOX_MAX_SIZE = 64, /* RFC 5321 section 4.5.3.1.1 */
    LABEL_MAX_SIZE = 63,   /* RFC 1035 section 2.3.4 */
    GROUP_MAX_SIZE = 150,
};

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_one_of(char c, const char *characters)
{
    return c != '\0' && strchr(characters, c) != NULL;
}

static bool has_only(struct str text, const char *extra)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_letter_or_digit(text.ptr[i]) && !is_one_of(text.ptr[i], extra))
            return false;
    }
    return true;
}

enum err user_check_username(struct str username, struct error *error)
{
    if (username.len < 1 || username.len > USERNAME_MAX_SIZE)
        return error_set(error, ERR_BAD_INPUT, "username: it must have 1 to 150 characters.");
    if (!has_only(username, "@.+-_"))
        return error_set(error, ERR_BAD_INPUT,
                         "username: it may have letters A to Z, digits and @ . + - _ only.");
    return ERR_OK;
}

static bool is_domain(struct str domain)
{
    struct str label;

    while (str_split(&domain, '.', &label)) {
        if (label.len < 1 || label.len > LABEL_MAX_SIZE || !has_only(label, "-") ||
            label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
            return false;
    }
    return true;
}

/* The plain form of RFC 5322's atoms: no quotes, no comments, no address literals. */
static bool is_mailbox(struct str mailbox)
{
    struct str atom;

    if (mailbox.len > MAILBOX_MAX_SIZE)
        return false;
    while (str_split(&mailbox, '.', &atom)) {
        if (atom.len < 1 || !has_only(atom, "!#$%&'*+-/=?^_`{|}~"))
            return false;
    }
    return true;
}

enum err user_check_email(struct str email, struct error *error)
{
    ptrdiff_t at = str_find(email, '@');

    if (email.len < 1 || email.len > EMAIL_MAX_SIZE)
        return error_set(error, ERR_BAD_INPUT, "email: it must have 1 to 254 characters.");
    if (at < 1 || !is_mailbox(str_sub(email, 0, (size_t)at)) ||
        !is_domain(str_sub(email, (size_t)at + 1, email.len)))
        return error_set(
            error, ERR_BAD_INPUT,
            "email: it must look like name@example.org (a name outside ASCII in its xn-- form).");
    return ERR_OK;
}

enum err user_check_group(struct str group, struct error *error)
{
    if (group.len < 1 || group.len > GROUP_MAX_SIZE || !str_is_utf8(group) ||
        str_has_control(group) || str_trim(group).len != group.len || str_find(group, ',') >= 0)
        return error_set(error, ERR_BAD_INPUT,
                         "group: it must have 1 to 150 bytes of UTF-8, no commas or control "
                         "characters, no blanks at its ends.");
    return ERR_OK;
}
