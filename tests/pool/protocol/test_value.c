#include "cachewarden/value.h"

#include "suite.h"

static const struct {
    const char *text;
    enum redis_fault fault;
    const char *name;
} errors[] = {
    {"OOM command not allowed when used memory > 'maxmemory'.", REDIS_FAULT_OOM, "oom"},
    {"READONLY You can't write against a read only replica.", REDIS_FAULT_READONLY, "readonly"},
    {"MISCONF Redis is configured to save RDB snapshots, but", REDIS_FAULT_MISCONF, "misconf"},
    {"LOADING Redis is loading the dataset in memory", REDIS_FAULT_LOADING, "loading"},
    {"BUSY Redis is busy running a script.", REDIS_FAULT_BUSY, "busy"},
    {"BUSYKEY Target key name already exists.", REDIS_FAULT_OTHER, "other"},
    {"MASTERDOWN Link with MASTER is down", REDIS_FAULT_MASTERDOWN, "masterdown"},
    {"NOAUTH Authentication required.", REDIS_FAULT_AUTH, "auth"},
    {"WRONGPASS invalid username-password pair or user is disabled.", REDIS_FAULT_AUTH, "auth"},
    {"ERR invalid password", REDIS_FAULT_AUTH, "auth"},
    {"ERR AUTH <password> called without any password configured for the default user.",
     REDIS_FAULT_AUTH, "auth"},
    {"ERR Client sent AUTH, but no password is set", REDIS_FAULT_AUTH, "auth"},
    {"NOPERM this user has no permissions to run the 'incr' command", REDIS_FAULT_NOPERM, "noperm"},
    {"WRONGTYPE Operation against a key holding the wrong kind of value", REDIS_FAULT_WRONGTYPE,
     "wrongtype"},
    {"ERR increment or decrement would overflow", REDIS_FAULT_OVERFLOW, "overflow"},
    {"ERR increment would produce NaN or Infinity", REDIS_FAULT_OVERFLOW, "overflow"},
    {"ERR max number of clients reached", REDIS_FAULT_CLIENTS, "clients"},
    {"TOOLARGE a reply is larger than allowed", REDIS_FAULT_TOO_LARGE, "too_large"},
    {"EXECABORT Transaction discarded because of: READONLY You can't write against a read only "
     "replica.",
     REDIS_FAULT_READONLY, "readonly"},
    {"EXECABORT Transaction discarded because of: OOM command not allowed", REDIS_FAULT_OOM, "oom"},
    {"EXECABORT Transaction discarded because of previous errors.", REDIS_FAULT_OTHER, "other"},
    {"EXECABORT Transaction discarded because of: ", REDIS_FAULT_OTHER, "other"},
    {"EXECABORT READONLY", REDIS_FAULT_OTHER, "other"},
    {"ERR value is not an integer or out of range", REDIS_FAULT_OTHER, "other"},
    {"ERR unknown command 'NOAUTH', with args beginning with: ", REDIS_FAULT_OTHER, "other"},
    {"ERR", REDIS_FAULT_OTHER, "other"},
    {"OOMPH", REDIS_FAULT_OTHER, "other"},
    {"oom command", REDIS_FAULT_OTHER, "other"},
    {" OOM", REDIS_FAULT_OTHER, "other"},
    {"", REDIS_FAULT_OTHER, "other"},
};

START_TEST(the_first_word_decides_what_an_error_means)
{
    struct value value = {.kind = VALUE_ERROR, .text = str_from(errors[_i].text)};

    ck_assert_int_eq(value_fault(&value), errors[_i].fault);
    ck_assert_str_eq(redis_fault_name(value_fault(&value)), errors[_i].name);
}
END_TEST

START_TEST(what_is_no_error_has_no_fault_whatever_it_says)
{
    static const enum value_kind kinds[] = {VALUE_MISSING, VALUE_NIL,     VALUE_STRING,
                                            VALUE_STATUS,  VALUE_INTEGER, VALUE_ARRAY};
    struct value value = {.kind = kinds[_i], .text = STR("OOM command not allowed")};

    ck_assert_int_eq(value_fault(&value), REDIS_FAULT_NONE);
    ck_assert_str_eq(redis_fault_name(REDIS_FAULT_NONE), "none");
}
END_TEST

static const struct {
    const char *says, *sentence;
} sentences[] = {
    {"OOM command not allowed when used memory > 'maxmemory'.",
     "OOM command not allowed when used memory > 'maxmemory'."},
    {"ERR unknown command 'AUTH', with args beginning with: 'me' 'canary' ",
     "ERR unknown command 'AUTH'"},
    {"NOPERM User canary has no permissions to run the 'multi' command",
     "NOPERM this user has no permissions to run the 'multi' command"},
    {"NOPERM User canary", "NOPERM this user "},
    {"NOPERM this user has no permissions", "NOPERM this user has no permissions"},
    {"MOVED 3999 canary:6381", "MOVED"},
    {"ASK 3999 canary:6381", "ASK"},
    {"ERR a\r\n\x1b[2J\x7f\xc3\xa9", "ERR a???[2J???"},
    {"", ""},
};

START_TEST(sentences_for_operators)
{
    char sentence[VALUE_SENTENCE_SIZE];
    struct value value = {.kind = VALUE_ERROR, .text = str_from(sentences[_i].says)};
    value_error_sentence(&value, sentence);
    ck_assert_str_eq(sentence, sentences[_i].sentence);
    char many[1000];
    memset(many, 'x', sizeof many);
    value.text = (struct str){many, sizeof many};
    value_error_sentence(&value, sentence);
    ck_assert_uint_eq(strlen(sentence), VALUE_SENTENCE_SIZE - 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("value");
    TCase *tcase = tcase_create("value");

    tcase_add_loop_test(tcase, the_first_word_decides_what_an_error_means, 0,
                        sizeof errors / sizeof *errors);
    tcase_add_loop_test(tcase, what_is_no_error_has_no_fault_whatever_it_says, 0, 6);
    tcase_add_loop_test(tcase, sentences_for_operators, 0, sizeof sentences / sizeof *sentences);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
