/*
 * Tokens and keys made by implementations that are not ours: jose 6.2 (JavaScript), one for each algorithm, and
 * PyJWT 2.6.0 (Python). They expire in 2100. The keys were made for this file.
 */
#ifndef CACHEWARDEN_TESTS_FOREIGN_TOKENS_H
#define CACHEWARDEN_TESTS_FOREIGN_TOKENS_H

#include <stddef.h>

struct foreign_token {
    const char *made_by;
    const char *algorithm;
    const char *jwk;
    const char *compact;
};

/* clang-format off */
static const struct foreign_token foreign_tokens[] = {
    {"jose 6.2.17", "HS256",
     "{\"kty\":\"oct\",\"k\":\"pEG7hWZEp9ESvHBiPv7B1Rnc93NxOziuTjSDClR52Oo\",\"kid\":\"jos"
     "e-HS256\",\"use\":\"sig\",\"alg\":\"HS256\"}",
     "eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2UtSFMyNTYiLCJ0eXAiOiJKV1QifQ.eyJ0b2tlbl90eXBlIjoiY"
     "WNjZXNzIiwidXNlcl9pZCI6Nywic3ViIjoiYWxpY2UiLCJqdGkiOiIwMTIzNDU2Nzg5YWJjZGVmIiwiaWF0I"
     "joxNzAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDB9.MZ566eidTNF1zgW_mj66euCHX_vi4bTCm-4JgM0GSBo"},
    {"jose 6.2.17", "HS384",
     "{\"kty\":\"oct\",\"k\":\"l26Zc5ULyhs5fgPxPqEC7sesHdikYytBBJLCV_EB52Fo2A3lV8P1R9hWsnw"
     "7Bhx9\",\"kid\":\"jose-HS384\",\"use\":\"sig\",\"alg\":\"HS384\"}",
     "eyJhbGciOiJIUzM4NCIsImtpZCI6Impvc2UtSFMzODQiLCJ0eXAiOiJKV1QifQ.eyJ0b2tlbl90eXBlIjoiY"
     "WNjZXNzIiwidXNlcl9pZCI6Nywic3ViIjoiYWxpY2UiLCJqdGkiOiIwMTIzNDU2Nzg5YWJjZGVmIiwiaWF0I"
     "joxNzAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDB9.1C8ASjs-JjvGRNwc9Q2o9gsbB1dCdfYfd3y-pNipFs-T"
     "1E24ztxLH5UtNI2O0F3E"},
    {"jose 6.2.17", "HS512",
     "{\"kty\":\"oct\",\"k\":\"KhfGmYRJoMarhhx69cnupvFBlOVwm6a8cenKTlVnNP5oHAGAI8n872JSPrT"
     "GoFW1fNLMMrwoOC1_aiw9ZauYeQ\",\"kid\":\"jose-HS512\",\"use\":\"sig\",\"alg\":\"HS512"
     "\"}",
     "eyJhbGciOiJIUzUxMiIsImtpZCI6Impvc2UtSFM1MTIiLCJ0eXAiOiJKV1QifQ.eyJ0b2tlbl90eXBlIjoiY"
     "WNjZXNzIiwidXNlcl9pZCI6Nywic3ViIjoiYWxpY2UiLCJqdGkiOiIwMTIzNDU2Nzg5YWJjZGVmIiwiaWF0I"
     "joxNzAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDB9.SECX0GarH7oL7oPr9krb5SwKWwodjwPGjGOSz6sz-1lW"
     "NrgzlFrUA_OHDeXy6SWcO3fzL_fYufKq4Kh3frdK9g"},
    {"jose 6.2.17", "RS256",
     "{\"kty\":\"RSA\",\"n\":\"hjRTbUvH2CTsg646pM6HRJIohgarjqcp2jP8qifSLOpsb9L9OamB3cdP42Z"
     "ZyuWY_3MKjVxjfhHZK_2mXAbf9KnlKIeSOqoyY3v2VkfVPp8POVjWZ4XpSvY1Z5odijU3bUeMl8Ej5R1pafI"
     "gbtIref6OSyGYLNto8ETl5k7yNBMehuuvTT2dQava5OtGo0SbNn-b-qQJH04-gHek629Y8C8BQirdEhh3blT"
     "4eU5spRl6xbPhGlewmYgG57QOigj9nvIZu1islhZqEjJgdJbcAflgv-29Wyl59d3JeW7GvjwUB7dycppoOOa"
     "MJDXlBbt5HEjqh7Ba7jtSBALjhvSVUw\",\"e\":\"AQAB\",\"kid\":\"jose-RS256\",\"use\":\"si"
     "g\",\"alg\":\"RS256\"}",
     "eyJhbGciOiJSUzI1NiIsImtpZCI6Impvc2UtUlMyNTYiLCJ0eXAiOiJKV1QifQ.eyJ0b2tlbl90eXBlIjoiY"
     "WNjZXNzIiwidXNlcl9pZCI6Nywic3ViIjoiYWxpY2UiLCJqdGkiOiIwMTIzNDU2Nzg5YWJjZGVmIiwiaWF0I"
     "joxNzAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDB9.dwrV-iict_Yxk3aLy27VPLk5SFiXgRQ2TY9JDHiZrLeq"
     "TKnwK592Qn2tVIaCnmi5oioPGlj1GvuGG0u_xBK67sgUnngDvRGeJ9K3S2aJUNdMD2J3tkye3dJy3qvZrdD9"
     "7hSb2y4KiyrsW-vpITilRKUpCgc5E_gnbukivfA2kffBSkR9EAzpAIvIA5cOadBNh4JBkA_vOZQctESBz5Tt"
     "zZGiYFFrhxnykGo9I9QrbMKy0uQnUIO8IZEtARdycy4GNMIsoqlZtL6y6wOAHvyLPdQnWVTAxfX30t5HAbnN"
     "U1-nCQ15_xolrsa5cVtDfrbGM0EHMzkOgozhriiW5up7Yg"},
    {"jose 6.2.17", "PS256",
     "{\"kty\":\"RSA\",\"n\":\"qY61kXnoGVBJuggzVS54WcNC8fKfEXWrDguQdtHSso10Jp3k9jyYhBiN0nS"
     "eA0DluU2GQ4hsLcy50cXMuxRpCgX3XAkW2W_o-4WlNgwUd8gW4gcrvi25eNLqBH3iGoSFbqBBUszP7WPCgye"
     "WP5AkTsAwPh5Nz8WS_VCmJoMplDJJQH7UWhF1W5dnpVTS4IUVmIHmtTTWkTRCpMDcJpo5SpdHFtN6PQdjbEt"
     "IrASiaapDElxG16Ljqxtl-_1sPDJtER4SQj2UmA-pG6UoDs23PzO1ZZf9wjz3LCxd9Mz4xpLqdFabPUkCZ-h"
     "oZALf81u1Y8Db-06rFcs7QUKar1tNpQ\",\"e\":\"AQAB\",\"kid\":\"jose-PS256\",\"use\":\"si"
     "g\",\"alg\":\"PS256\"}",
     "eyJhbGciOiJQUzI1NiIsImtpZCI6Impvc2UtUFMyNTYiLCJ0eXAiOiJKV1QifQ.eyJ0b2tlbl90eXBlIjoiY"
     "WNjZXNzIiwidXNlcl9pZCI6Nywic3ViIjoiYWxpY2UiLCJqdGkiOiIwMTIzNDU2Nzg5YWJjZGVmIiwiaWF0I"
     "joxNzAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDB9.CPZYq_2vyH4A5UtXcIYMWIzLhB-0h5xmsAffLdJ_c3FJ"
     "xa2wt9u8QKEXMBHQFqLh7edyhCzFHAHVTZ7vS9Pfeiwwt1MlgCk4nljqaBuERHTYOqWuC3IGxGgWOKV0o6f9"
     "4IX5nYL9nh7L7YEbvQGYfbZbi7aKJ4J1m-vFVZSGN4250alQVTx1giItUg_AmKRSpWuW0oO06XLT-VI4uFBw"
     "l2G9Jj7gi7qnQHtW2PT2DbMcfaOdhFB3iomlT8pQgxmtzesbfZvjs3EcXYT7FLbN-H5EEbzs8Kir59iu8FQc"
     "3mmb7HYJGuHw0c3QVJYRsg_czIQ8DRnSTy6wqxhuRJ0c2g"},
    {"jose 6.2.17", "ES256",
     "{\"kty\":\"EC\",\"x\":\"4gzLmKX4DG0iguDlXtPiqc3wg_UU3Y4Eww2d_LBfq_o\",\"y\":\"uSw-rb"
     "xkLxm3uoAE1-nZl3BVRz1HIJ9_eUa0pk3jLAU\",\"crv\":\"P-256\",\"kid\":\"jose-ES256\",\"u"
     "se\":\"sig\",\"alg\":\"ES256\"}",
     "eyJhbGciOiJFUzI1NiIsImtpZCI6Impvc2UtRVMyNTYiLCJ0eXAiOiJKV1QifQ.eyJ0b2tlbl90eXBlIjoiY"
     "WNjZXNzIiwidXNlcl9pZCI6Nywic3ViIjoiYWxpY2UiLCJqdGkiOiIwMTIzNDU2Nzg5YWJjZGVmIiwiaWF0I"
     "joxNzAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDB9.Br6Kt1wZWqbZzEEsv5B9-Noda1cpw6AcR6lyuhwnj1d1"
     "z3o4sT03LfYd4WLvzXyh_9wkCplACQgdx2Y9VV7tbw"},
    {"jose 6.2.17", "EdDSA",
     "{\"crv\":\"Ed25519\",\"x\":\"yBdDB84eXuuxPZ2dWx9QbQSzjQtl5ZsEBB1IGbgCRBA\",\"kty\":"
     "\"OKP\",\"kid\":\"jose-EdDSA\",\"use\":\"sig\",\"alg\":\"EdDSA\"}",
     "eyJhbGciOiJFZERTQSIsImtpZCI6Impvc2UtRWREU0EiLCJ0eXAiOiJKV1QifQ.eyJ0b2tlbl90eXBlIjoiY"
     "WNjZXNzIiwidXNlcl9pZCI6Nywic3ViIjoiYWxpY2UiLCJqdGkiOiIwMTIzNDU2Nzg5YWJjZGVmIiwiaWF0I"
     "joxNzAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDB9.sDCT02oX53oOqdwnn-MwlK4EP5BGVXSLWbGqvk0t_h3e"
     "bOQfzFpn7Pmg9ed1BWmSGgqeH1o3IHOWnVYjwqUVAQ"},
    {"PyJWT 2.6.0", "HS256",
     "{\"kty\":\"oct\",\"k\":\"m6VCyTh2iDz0ICq4TJX7ar2ezfE8-VHp07Ze7VFxFmk\"}",
     "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ"
     "0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYiLCJ1c2VyX2lkIjo3fQ.ZIYW"
     "RcO8vOHFuMJduCZwOQPYNl1akxPqZyISh3NVjUw"},
    {"PyJWT 2.6.0", "HS384",
     "{\"kty\":\"oct\",\"k\":\"L4jd_WIxXaVClamGJIXxEXJatcKNuwSH5lEf-Zv0rKYBOwEHo9B_oVMJBkt"
     "H_ees\"}",
     "eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ"
     "0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYiLCJ1c2VyX2lkIjo3fQ.GHeP"
     "KYbQm5QEaoxWYIYQ8PmHS9XI9n07odQpoKr3fo4CwqYOnLoTe83k7qI7ZR0F"},
    {"PyJWT 2.6.0", "HS512",
     "{\"kty\":\"oct\",\"k\":\"qSnzXvSPuzgl6RgImv8bRjXhWEC5Jdpt-2-_UFrwek2rTP1mOkkEahyeQ_v"
     "1RSd7u6IOlMTDhbO9sR7rDvjtsA\"}",
     "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ"
     "0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYiLCJ1c2VyX2lkIjo3fQ.ZJZV"
     "RqqrzCBpdVpjyq1rTMf6944VDx-U8MW-Ne3PojEkHktpEFmLH6Hm9BYasdbpxLxPgIVOejzHTzq1qdWewg"},
    {"PyJWT 2.6.0", "RS256",
     "{\"kty\":\"RSA\",\"n\":\"z31cM3H1qsot5CRzWhJDkhnRsKj7sAyuthm5hxHZJHMBDtHFcMCgwEkfxxj"
     "VJbjvXT6q_ALDhRLfhfaZPl2vSOY_tB6A5ga0cIvl6Am81Nn_Qr3GYX9SL88TfJ-YkJ0ewoAVK5G8C8YhyI2"
     "nZcFpqYWYJkZNVpxUoB6PnjLywrv2_xHr-E_JctF2ZodtK_uZ1MfHGyRqnmyL4CE6908qMB4ujbLGyrMjUL6"
     "vaaXMyIZllq0P7jtGMlnSCZ1uTa74zOR1rKdw1LIcX5VBu7DHRHryB3NHI2jfWPr9Bfp5qVw1oJ9eT-iPJpM"
     "Itr9PVXIQfIIIpM7Mz7kY9imGcxP2Kw\",\"e\":\"AQAB\"}",
     "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ"
     "0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYiLCJ1c2VyX2lkIjo3fQ.DjxG"
     "oX_aDRniRZZ9kLzFFK1jt9VRX-fcV5JVFyHReq3sc3lxXe_3DSEGrIU4qPdffg1rG0l4kW7J5butVEm6Rg4_"
     "XvCVGtdT9p0h7IS_7Gh3QI-PgYyfO2sayCpG5qh56OlkFDKyH2NbMdtYQlIRbJQoRzoJPSSmHMr_OSaUX-aL"
     "brgmyyjqxSlqD6sPuZ8gf3COwDIUWhdfLav5CDH_NmVKoYZQnGMHxPOCyyeisibk_CNPyksPh4MSVjJmDgd0"
     "_yDYTMPn64nCyts5WBkoHGnwI33-lDiTijs7onyijLw2mAbs3FzzwNLDpNrmOV4z1w_w3w4c6Iy0raA4eQYm"
     "yg"},
    {"PyJWT 2.6.0", "PS256",
     "{\"kty\":\"RSA\",\"n\":\"jjoxKk65T6glNLgQBrvh1kZfl1orkyWsvxg0TQp0T6LQAk2CylGif5VsNE2"
     "PK1NpJOUxoDeoG2xB-lNI5Blucw_sZ-m9L2e4pC7BCIFKvOgQfRqyzNEWSzwKgqGx58U3H0cpTZ8uYQHgNbZ"
     "GaFV6naacAOAevZHQdryQE0sYJIfEFY-Ren_-5ikxLKG_hfa9bykmlnI8f6aeTqrLe5qoXL9oy6xpAY1pC4O"
     "GeZBOdDe1D10Oll3wrj9tYd_X4usDVlyRn0fYQqCPCCYlaksIHRYS8pnIJqcBIPB24ug-B07gDh5tZ0uEOZp"
     "4xoXvxH2ht4YdZCyd46lQI2BXA8okOw\",\"e\":\"AQAB\"}",
     "eyJhbGciOiJQUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ"
     "0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYiLCJ1c2VyX2lkIjo3fQ.VBV_"
     "HX0NuE3CtISF8idyu18H5wCBHjEC6wm2YUJYc6aGNpoDEqMp6OgKkRbXgd4bRfq4aOby9IqCTp_YWXZJ3D7n"
     "Ht5QYousjUU9zn9mGqRy-UeDPv3r7qqkUE__JnpxBDEE2ug8PWQUF3hwCt6ItMm_OhuE602-FfAoJWvkhiRd"
     "cSJozX57cGAXVJHfXSaAA4mXsGs21NNoLShWxVkR1c3cZjlU8dkoN9EOPkwFGMS33yo1lnsc3HWHf9Hq_PJD"
     "mWfg8srkN2DlWKibUNawOeMaCWXswXJ6W3-YbJuV_S_DAfv7YWdyeUstNcHpPLtrfs42P3HS_opmu8agOS4K"
     "wQ"},
    {"PyJWT 2.6.0", "ES256",
     "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"7Gn7qKTNnIDeeMNhmuy86CLIrFNjTmnt7Gmcp7FWGH"
     "w\",\"y\":\"RLSFd-Nu-HFCCDkDwBpXVM7PHMiuJbsAicCZrJIsFPE\"}",
     "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ"
     "0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYiLCJ1c2VyX2lkIjo3fQ.gwwm"
     "8aXq_q-u1x_wxUQ7ZSYeaRf0pypnM4lcEeuXHMz556KUY7fBxFZuLi0txGAsp3jXCft1oYz1vSPjSQxlxQ"},
    {"PyJWT 2.6.0", "EdDSA",
     "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"ycPYkcQuRpJ2QyLQazenpck2034VPf5sr3yF9NK"
     "oHgE\"}",
     "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ"
     "0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYiLCJ1c2VyX2lkIjo3fQ.1uMs"
     "LNCQqXVTsHdpc9jX_40Iow189nthzwvq_PAw7hZ2CF8eqlwePzXOOO1c7qO8Yhfe1N-6sMR7jwJv6y8bBA"},
    {"jose 6.2.18", "RS384",
     "{\"kty\":\"RSA\",\"n\":\"uLieWF7K901hL4caXI5vcYlGnShB5pp1-2RS1xNM8Atml3lSZhuS2jTjvMP"
     "KYpzyKWB2UgYNqHV3ZfFrmBF_auEW4pUklBPYsf0Z6SNoesQLmzkb57PifavWvYCH_V758Hx7BVAwBESbucN"
     "w2HB1j6zjSKKhS0hdhONHi2xt4hD35a6PPp0ZjmxCb5SHQrXOF6u5QXV1S5R9Vtho2tlqiwXS0LJ4ZWY_Ml-"
     "VdE5pc9ZBKCmyvI-uUZHNzqs33zcX-lIjGoxiGm33oRt23N2IHz-6jxtjesqOv6EjBH9QB9nN8hkZ3X34Sai"
     "62C4p5J5zUhwDhh_S-q1zu6IDHEorEw\",\"e\":\"AQAB\",\"kid\":\"jose-RS384\",\"use\":\"si"
     "g\",\"alg\":\"RS384\"}",
     "eyJhbGciOiJSUzM4NCIsImtpZCI6Impvc2UtUlMzODQiLCJ0eXAiOiJKV1QifQ.eyJ0b2tlbl90eXBlIjoiY"
     "WNjZXNzIiwidXNlcl9pZCI6Nywic3ViIjoiYWxpY2UiLCJqdGkiOiIwMTIzNDU2Nzg5YWJjZGVmIiwiaWF0I"
     "joxNzAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDB9.Hks90P8CluGG90exS_pqkU3AxhC0xPvpHtlwZyvAKf-4"
     "Gxk21ePV49MFJIHvBqrZyDgDA5Kh30U1e5-9GvDYp718wyvZoPICtClAoAxS2cuNGKHygSoVfxi0MHjaSibE"
     "RJZ3-ZNtbDkxpqipkREeJ0S3LaIy668tz4ELgYqoTi3LBsCaz3Fu1MpYV0IPFdaYslQiiVCORdG69cS_j6gg"
     "soN2bYM0hti1vQbBurRUfPLVn5nC_ZB91f34WEr4Ns2UuLv_PRgx3Fm4PNJC5ZwmOkGXj20Xn39YEi-Qpvri"
     "qmatIInyDqL-dHDvyS8-b1KJXEQiQ_byEHHw5ahtIeWntw"},
    {"jose 6.2.18", "RS512",
     "{\"kty\":\"RSA\",\"n\":\"o6neKerDDI7DEg1aRvrP_8mv7uwgSMwHQgYZjdQ3QaRpDbKX1E0LN1184M4"
     "gJpoXLp9BivQQ491HdiImiJu9RzbAFvM9F0A_NG7VGFmeusyxHzmj7oWKz8-0KSVcxSYxz8opcHbarMQnv_b"
     "3nG-TKRmeEWvtJ3UXKIF4aiIKqayqDKqWFTSRGrAwfCUUQgm0-6sn1uirIyAIyfLICu7ixYi8OYsJd3N0H7e"
     "CrCRY-Ze22UOuo3CnAhL-eA9u5VjhSm-J9YtLyNz8M4ONlrp3grwGJ2LSSSpvnLLo_gAqhlfI_fQVYHGosW8"
     "rsq_vxV3wm3t7hb0vu1gWTiNnJlBltw\",\"e\":\"AQAB\",\"kid\":\"jose-RS512\",\"use\":\"si"
     "g\",\"alg\":\"RS512\"}",
     "eyJhbGciOiJSUzUxMiIsImtpZCI6Impvc2UtUlM1MTIiLCJ0eXAiOiJKV1QifQ.eyJ0b2tlbl90eXBlIjoiY"
     "WNjZXNzIiwidXNlcl9pZCI6Nywic3ViIjoiYWxpY2UiLCJqdGkiOiIwMTIzNDU2Nzg5YWJjZGVmIiwiaWF0I"
     "joxNzAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDB9.jjyHmgPKYFA-vYpCma6SIbZK-6jLm_2viYnpNx6Iqa7s"
     "2zBVNyNXAy-yk6uwyK-VX1DeplA-z95HhzDUwfIBexZeN7eGWForx_XotWn_FKB73NVF1PP4ema9_h0WGms5"
     "QNScoAUpGhTlo_qFjpj1roA6lO-x5uBF3vZ5skXinrVXCqNzKGwW_fVOHLqNTgu9jURjZBdCB57FGNq4H4bf"
     "Sn5hVkCtthTpJhPrG-iDn4EteBbxeAXZubUpp53QDxnwnsevaeOntkZD1LfqIvH2nYflKK1j3Y1YJL_au4qY"
     "SRoPCRoBRwpYeRUYaq5CuD2R-uRwXz4q5q2xekkVMKq2bA"},
    {"jose 6.2.18", "PS384",
     "{\"kty\":\"RSA\",\"n\":\"ubmsPgaHRUIAQScSmjLX8ZSeVzwmCb1dIv-5aQe88WaSGO_T8V-IgRPZ9ZP"
     "9dRRy9oGmqqiOnVVKzdPiOEI1z-d6NiZeoBndSTftCozejc48rjLyGzEi3YL8F4PbmIspyJ9iQ6VPIoz_2Ll"
     "TmZpUkX5Y6SfumQN8cWrJ5WzTSSMpOqVf38UU4JXReBfU65qUAMxxUZFDWpsDIT6qjlC1qr5ageSb640WlNe"
     "S0RDLNIN72qx_bFX6EwAcAULUPsr1QLk3KFRCbm-Mil6OS9Kmm_y5_qckTrPgk2AK7D8jz4GiS3ptuKToq0w"
     "lvtUsrTNqUGbMhbG8Djc63QLb9BE3oQ\",\"e\":\"AQAB\",\"kid\":\"jose-PS384\",\"use\":\"si"
     "g\",\"alg\":\"PS384\"}",
     "eyJhbGciOiJQUzM4NCIsImtpZCI6Impvc2UtUFMzODQiLCJ0eXAiOiJKV1QifQ.eyJ0b2tlbl90eXBlIjoiY"
     "WNjZXNzIiwidXNlcl9pZCI6Nywic3ViIjoiYWxpY2UiLCJqdGkiOiIwMTIzNDU2Nzg5YWJjZGVmIiwiaWF0I"
     "joxNzAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDB9.j3-Eg7dHn9aq6n06OnnYPnfeW1x0HNH9k5lFrUjowC0x"
     "lmcgWTTfk8uI4Wz8lTLwPVmHF98hi6kXe2XZvLJyZeqaLDfuXVtzHMdwQWuHAg2gEQrY_ej38ooTLHxCuFGQ"
     "TINLgOpmmJK2vuh14AOxIocJ1pO3XTnxdZISaQhZWCv3oA8G1wWkViZObvWPo4uVZhjvsKVNuKzy9SlExAQL"
     "92yvzGBwa_vzaeX0gjap_Nj5tMMQv7gx45e5TT49OLhyZxy5LPLTCaFsNN6JHeGPAou-a-3ulxFql-P6Zs81"
     "5PJQoxsOQflbhDkE9DV0TrvkFo9EPTIJnhUo4hbZVoBVoA"},
    {"jose 6.2.18", "PS512",
     "{\"kty\":\"RSA\",\"n\":\"3XxpyOP7mfoK57q8_uPXB5_XqeQ9EiM3zMlwd9zoUO1SL3mgLdlxXK4WOxn"
     "B28_PJoiFsC1QmhuV_8ektpCyM8N11iE8u26vQfLQ1HwzWmRByaSEDI4721EdySXgD_lNNAftwTjSr_g588u"
     "-aNITOFcTJrPVEVByvR3I52jpsC37yC2M_q1_v_Ba0nA6kXXq8cB4eJuxRBXf--6OqnQHoocNireV09m1EWS"
     "zc49rQ-eneLzEDRUPdxM8MmgxuRXf8RFN4qdSFs8zI1uoIniNWjArSdKVcELqXfSEKxGmFnJUeM3GpYbiN1l"
     "r4Gp3dVMCpamyK_VuEk1yTO-9f1nCew\",\"e\":\"AQAB\",\"kid\":\"jose-PS512\",\"use\":\"si"
     "g\",\"alg\":\"PS512\"}",
     "eyJhbGciOiJQUzUxMiIsImtpZCI6Impvc2UtUFM1MTIiLCJ0eXAiOiJKV1QifQ.eyJ0b2tlbl90eXBlIjoiY"
     "WNjZXNzIiwidXNlcl9pZCI6Nywic3ViIjoiYWxpY2UiLCJqdGkiOiIwMTIzNDU2Nzg5YWJjZGVmIiwiaWF0I"
     "joxNzAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDB9.Vg1m_7Xpzykta4Um-RGA2ke60AH-rEnrRVh_GLUJi-Fc"
     "6D_eugTp90_3l75jKkv6NGSHuRe4fLBITxUGbMsvkzOkO6hDe0dp-vefOgO3kvoXjLaL91KH9w5WorHpSTqC"
     "v-IaJbpULFjOw1IVKT9K12VHPqpdrOuC04htoau1_8vyItA-8mCQornCAv0ufpSH3tUpRcLbTtg43B5noRGY"
     "8n5I4NIls-tLKF_RL2plY7mYsAmVHLMNcOxCaXBZLmeoqmrPfM7hEI_ZNLAmLCETCeoj7tX53kwIsCD9Js5a"
     "HfhtWFRnAIU9oqS_Lhr2-58WBWtd6aIYX3FUYFObHdmxig"},
    {"jose 6.2.18", "ES384",
     "{\"kty\":\"EC\",\"x\":\"8a1AwjUXHmjd6Uo4TyFQ4vMmI7pAZ0ePZ3v5MdcDodPVnE9Ipz8GWvBKtApC"
     "Hzy4\",\"y\":\"GbM0Yh2fgACg1FpAGWCcmknDfvojHN2Jrf9UZC930_Kt-pwsTUKJjPJvCaxAbeCn\",\""
     "crv\":\"P-384\",\"kid\":\"jose-ES384\",\"use\":\"sig\",\"alg\":\"ES384\"}",
     "eyJhbGciOiJFUzM4NCIsImtpZCI6Impvc2UtRVMzODQiLCJ0eXAiOiJKV1QifQ.eyJ0b2tlbl90eXBlIjoiY"
     "WNjZXNzIiwidXNlcl9pZCI6Nywic3ViIjoiYWxpY2UiLCJqdGkiOiIwMTIzNDU2Nzg5YWJjZGVmIiwiaWF0I"
     "joxNzAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDB9.hXr8Q_L7k8LvUoINYFuZlTcdhj0JUm3yOUYlr7Dqi_uy"
     "Sd_QcfKXcI0u-t7ybcoKaHvtQ08_1Fw5dIY9np6nDcg94Wa143tP17q6PDSxfjMCy6tYPF-iJabf8-rpH8J_"},
    {"jose 6.2.18", "ES512",
     "{\"kty\":\"EC\",\"x\":\"AAnQ5ohf43-wVNgz3qQWAluwKAMQghvLWSuJgYsnMjDYrDFUyvemK5sy8x5S"
     "IKCxW3ZynLy5YBz1_0V0cgZ_LIDj\",\"y\":\"ACl2xXEEjfnQDfb7dYQsn4EJ2g0wRXBozocAFRfPb3Ny1"
     "__IBj4TK8vQXm_DJcApC1brXGqSKKfM-mVrGacE1qi7\",\"crv\":\"P-521\",\"kid\":\"jose-ES512"
     "\",\"use\":\"sig\",\"alg\":\"ES512\"}",
     "eyJhbGciOiJFUzUxMiIsImtpZCI6Impvc2UtRVM1MTIiLCJ0eXAiOiJKV1QifQ.eyJ0b2tlbl90eXBlIjoiY"
     "WNjZXNzIiwidXNlcl9pZCI6Nywic3ViIjoiYWxpY2UiLCJqdGkiOiIwMTIzNDU2Nzg5YWJjZGVmIiwiaWF0I"
     "joxNzAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDB9.AAddcK2V6Dhy_ah2s-kQKyPSdns399BHssd4vCShIvu2"
     "IZ5eyDzcIVjsKKtHmTyv95HTh-5bLItHnfMfzbxUrcjcAYqpXkEOkye1JfZl7mHhOme8wra6buLrubl9YLZM"
     "Vl1WurRXt5CIEFEueBZ4xrqxDH5wfWM199o1XOv4EPjho0-3"},
};
/* clang-format on */

enum { FOREIGN_TOKEN_COUNT = sizeof foreign_tokens / sizeof *foreign_tokens };

#endif
