/* Text that is held against a file of the source tree, so that a change of it is seen by who reviews. */
#ifndef SUPPORT_GOLDEN_H
#define SUPPORT_GOLDEN_H

/* `name` is below the source tree. Ends the test with the first line that differs. With CW_UPDATE_GOLDEN in the
 * environment the file is written anew first. */
void golden_expect(const char *name, const char *text);

#endif
