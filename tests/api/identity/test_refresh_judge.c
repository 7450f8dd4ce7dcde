/* What is made of the facts about a refresh token. */
#include "identity/refresh.h"

#include "suite.h"

START_TEST(the_judge)
{
    static const struct {
        struct refresh_facts facts;
        enum refresh_verdict verdict;
    } cases[] = {
        {{.is_recorded = true}, REFRESH_GOOD},
        {{.may_be_unrecorded = true}, REFRESH_GOOD},
        {{0}, REFRESH_REFUSED},
        {{.is_recorded = true, .may_be_lost = true}, REFRESH_REFUSED},
        {{.is_forgotten = true, .may_be_lost = true}, REFRESH_REFUSED},
        {{.is_recorded = true, .may_be_lost = true, .is_spent = true}, REFRESH_REUSED},
        {{.is_recorded = true, .is_revoked = true}, REFRESH_REFUSED},
        {{.may_be_unrecorded = true, .is_revoked = true}, REFRESH_REFUSED},
        {{.is_recorded = true, .is_spent = true, .spent_at_ms = 100000}, REFRESH_REFUSED},
        {{.is_recorded = true, .is_spent = true, .spent_at_ms = 90000}, REFRESH_REFUSED},
        {{.is_recorded = true, .is_spent = true, .spent_at_ms = 89999}, REFRESH_REUSED},
        {{.is_recorded = true, .is_spent = true, .spent_at_ms = 0}, REFRESH_REUSED},
        {{.is_recorded = true, .is_spent = true, .spent_at_ms = 100500}, REFRESH_REFUSED},
        {{.may_be_unrecorded = true, .is_spent = true, .spent_at_ms = 89999}, REFRESH_REUSED},
        {{.is_spent = true, .spent_at_ms = 89999}, REFRESH_REUSED},
        {{.is_revoked = true, .is_spent = true, .spent_at_ms = 89999}, REFRESH_REFUSED},
        {{.is_forgotten = true}, REFRESH_REUSED},
        {{.is_forgotten = true, .is_revoked = true}, REFRESH_REFUSED},
        {{.is_forgotten = true, .is_spent = true, .spent_at_ms = 90000}, REFRESH_REFUSED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct refresh_facts facts = cases[i].facts;
        facts.now_ms = 100000;
        ck_assert_msg(refresh_judge(&facts) == cases[i].verdict, "case %zu", i);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/identity/refresh_judge");
    TCase *judge = tcase_create("judge");
    tcase_add_test(judge, the_judge);
    suite_add_tcase(suite, judge);
    return suite_run(suite);
}
