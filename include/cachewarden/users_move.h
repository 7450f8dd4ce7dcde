/*
 * An installation moves into another users database: all rows and facts as they are, so that everybody's tokens,
 * sessions and API keys stay good, ids stay what they are, and the control data in Redis finds itself at home
 * (install_id, reserved versions). The database it comes from is only read. In the other one it is a single
 * transaction: all is there, or nothing.
 *
 * Errors as in users.h.
 */
#ifndef CACHEWARDEN_USERS_MOVE_H
#define CACHEWARDEN_USERS_MOVE_H

#include "cachewarden/users_copy.h"

struct users_moved {
    bool was_there;   /* the same rows, before: nothing has changed */
    int64_t accounts; /* that are not deleted */
    int64_t keys;     /* with those that are revoked */
};

/*
 * Nobody changes `from` meanwhile: what they change would be lost. `to` is empty: there has never been an account, and
 * no key. Nobody has it open but the caller, who closes it behind this. ERR_CONFLICT: it is not empty; the caller's
 * text says of what. ERR_BAD_INPUT: a row that `to` does not take; the text says of which table. Nothing has changed
 * after an error but ERR_UNCERTAIN; done again it tells what is.
 */
CW_MUST_CHECK enum err users_move(struct users *from, struct users *to,
                                  struct users_moved *moved_out, struct error *error);

#endif
