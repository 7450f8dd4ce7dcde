/* IPv4 by address, IPv6 by /64, and nothing that escapes both. */
#include "limits/network.h"

#include "suite.h"

START_TEST(names)
{
    static const char *const cases[][2] = {
        {"192.0.2.7", "192.0.2.7"},
        {"255.255.255.255", "255.255.255.255"},
        {"::ffff:192.0.2.7", "192.0.2.7"},
        {"2001:db8:0:1::1", "20010db800000001"},
        {"2001:db8:0:1:ffff:ffff:ffff:ffff", "20010db800000001"},
        {"2001:DB8:0:2::1", "20010db800000002"},
        {"::1", "0000000000000000"},
        {"fe80::1%eth0", "fe80000000000000"},
        {"", "unknown"},
        {"localhost", "unknown"},
        {"192.0.2.7:80", "unknown"},
        {"a text that is much longer than any address there could ever be", "unknown"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char buffer[LIMIT_NETWORK_SIZE];
        struct str name = limit_network(str_from(cases[i][0]), buffer);
        ck_assert_str_eq(name.ptr, cases[i][1]);
        ck_assert_uint_eq(name.len, strlen(cases[i][1]));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/limits/network");
    TCase *tcase = tcase_create("network");
    tcase_add_test(tcase, names);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
