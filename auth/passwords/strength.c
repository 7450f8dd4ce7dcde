#include "cachewarden/password.h"

/* Lower case; sorted by nothing in particular: a few hundred comparisons are nothing next to the
 * hash that follows. */
static const char *const common_passwords[] = {
#define COMMON(password) password,
#include "passwords/common_passwords.def"
#undef COMMON
};

static bool is_common(struct str password)
{
    for (size_t i = 0; i < sizeof common_passwords / sizeof *common_passwords; i++) {
        if (str_eq_nocase(password, str_from(common_passwords[i])))
            return true;
    }
    return false;
}

static bool is_one_character(struct str password)
{
    for (size_t i = 1; i < password.len; i++) {
        if (password.ptr[i] != password.ptr[0])
            return false;
    }
    return true;
}

static enum err refuse(struct error *error, const char *why)
{
    return error_set(error, ERR_BAD_INPUT, "password: %s", why);
}

enum err password_check_strength(struct str password, struct str username, struct str email,
                                 struct error *error)
{
    ptrdiff_t at = str_find(email, '@');
    struct str mailbox = at < 0 ? email : str_sub(email, 0, (size_t)at);

    if (password.len < PASSWORD_MIN_SIZE)
        return refuse(error, "it must have at least 8 characters.");
    if (password.len > PASSWORD_MAX_SIZE)
        return refuse(error, "it must have at most 256 bytes.");
    if (str_find(password, '\0') >= 0)
        return refuse(error, "it must not contain a NUL character.");
    if (!str_is_utf8(password))
        return refuse(error, "it must be valid UTF-8.");
    if (str_eq_nocase(password, username) || str_eq_nocase(password, email) ||
        str_eq_nocase(password, mailbox))
        return refuse(error, "it must differ from the username and the email.");
    if (is_common(password) || is_one_character(password))
        return refuse(error, "it is too common, choose one that is harder to guess.");
    return ERR_OK;
}
