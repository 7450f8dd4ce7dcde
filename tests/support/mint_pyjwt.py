# Mints tokens with PyJWT and the keys of pyca/cryptography: an issuer that shares no line with ours.
#
#   mint_pyjwt.py DIRECTORY
#
# writes DIRECTORY/jwks.json, DIRECTORY/HS256.secret and its sisters, and for each algorithm
# DIRECTORY/<algorithm>.good, .expired, .audience (for somebody else), .early (nbf ahead), .other (signed
# by a key that is not published), .typed (token_type "Bearer").

import base64
import json
import os
import secrets
import sys
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

directory = sys.argv[1]
now = int(time.time())


def write(name, text):
    with open(os.path.join(directory, name), "w", encoding="ascii") as file:
        file.write(text)


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def number(value, size=None):
    return base64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


CURVES = {
    "ES256": (ec.SECP256R1(), "P-256", 32),
    "ES384": (ec.SECP384R1(), "P-384", 48),
    "ES512": (ec.SECP521R1(), "P-521", 66),
}


def make_rsa_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


# They take long to make: all RSA algorithms share the published one, and the other one.
RSA_KEYS = {"published": make_rsa_key(), "other": make_rsa_key()}


def make_key(algorithm, which="published"):
    if algorithm.startswith("HS"):
        return secrets.token_hex(int(algorithm[2:]) // 8)
    if algorithm in CURVES:
        return ec.generate_private_key(CURVES[algorithm][0])
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return RSA_KEYS[which]


def public_jwk(algorithm, key):
    jwk = {"alg": algorithm, "use": "sig", "kid": "py-" + algorithm}
    if algorithm == "EdDSA":
        raw = key.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )
        return {**jwk, "kty": "OKP", "crv": "Ed25519", "x": base64url(raw)}
    numbers = key.public_key().public_numbers()
    if algorithm in CURVES:
        _, curve, size = CURVES[algorithm]
        return {**jwk, "kty": "EC", "crv": curve, "x": number(numbers.x, size), "y": number(numbers.y, size)}
    return {**jwk, "kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}


def mint(algorithm, key, **changes):
    issuer = "https://py.example" + ("/" + algorithm if algorithm.startswith("HS") else "")
    claims = {
        "iss": issuer,
        "sub": "4711",
        "aud": ["other", "cachewarden"],
        "iat": now,
        "nbf": now - 5,
        "exp": now + 600,
        "jti": secrets.token_hex(8),
        **changes,
    }
    headers = None if algorithm.startswith("HS") else {"kid": "py-" + algorithm}
    return jwt.encode(claims, key, algorithm=algorithm, headers=headers)


keys = []
for name in [family + size for family in ("HS", "RS", "PS", "ES") for size in ("256", "384", "512")] + ["EdDSA"]:
    key = make_key(name)
    if name.startswith("HS"):
        write(name + ".secret", key + "\n")
    else:
        keys.append(public_jwk(name, key))
    write(name + ".good", mint(name, key))
    write(name + ".expired", mint(name, key, exp=now - 3600))
    write(name + ".audience", mint(name, key, aud="other"))
    write(name + ".early", mint(name, key, nbf=now + 3600))
    write(name + ".typed", mint(name, key, token_type="Bearer"))
    write(name + ".other", mint(name, make_key(name, "other")))
write("jwks.json", json.dumps({"keys": keys}, indent=2))
print("PyJWT", jwt.__version__)
