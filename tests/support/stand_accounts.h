/*
 * The users database that every stand begins with: alice, bob, root and boss. Four commands make it,
 * once a build of the program; a stand gets a copy, because four commands a stand were half of what
 * the black-box tests cost.
 */
#ifndef SUPPORT_STAND_ACCOUNTS_H
#define SUPPORT_STAND_ACCOUNTS_H

#define STAND_PASSWORD "correct-horse-battery" /* of all accounts */

/* In the order of their ids, from 1. */
enum { STAND_ALICE, STAND_BOB, STAND_ROOT, STAND_BOSS, STAND_ACCOUNTS };

/* The name and further arguments of `user add`; ended by NULL. */
extern const char *const stand_accounts[STAND_ACCOUNTS][4];

/* Puts a copy as users.db into the folder, where there is none yet. */
void stand_accounts_copy(const char *directory);

#endif
