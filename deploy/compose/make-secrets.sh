#!/usr/bin/env bash
# Makes what docker-compose.yml mounts as secrets: a random password for every role and a key pair for
# signing tokens. Nothing that exists is replaced: PostgreSQL keeps the passwords it was started with.
# To begin anew: `docker compose down --volumes`, remove the files, and run this again.
#
# Needs bash and openssl.
set -euo pipefail
umask 077

secrets="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)/secrets"
mkdir -p "$secrets"
# Compose mounts the files as they are, and the containers' users are other than yours: so the files are
# readable by all, and the folder, which no container sees, is closed to everybody but you.
chmod 0700 "$secrets"

write() { # name: keeps standard input as the secret of that name, unless there is one
    local target="$secrets/$1"
    if [[ -s "$target" ]]; then
        cat >/dev/null
        return
    fi
    cat >"$target.new"
    chmod "${2:-0444}" "$target.new"
    mv "$target.new" "$target"
    echo "made $1"
}

password() { openssl rand -hex 24 | tr -d '\n'; }

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

# --- PostgreSQL -------------------------------------------------------------------------------------------
password | write postgres_admin_password
printf 'postgresql://postgres:%s@postgres:5432/postgres' "$(<"$secrets/postgres_admin_password")" |
    write postgres_admin_dsn
for service in profiles matching feedback notifications; do
    for role in owner app plumbing check; do
        password | write "${service}_database_${role}_password"
    done
done

# --- tokens: the private key signs and is mounted nowhere; the services read the public one ----------------
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2>/dev/null | write signing_key.pem 0400
modulus="$(openssl rsa -in "$secrets/signing_key.pem" -noout -modulus)"
bytes="$(sed 's/^Modulus=//; s/../\\x&/g' <<<"$modulus")" # \xHH for each byte
rm -f "$secrets/jwks.json" # always that of the key
# 65537, the exponent that openssl uses, is AQAB in base64url.
printf '{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":"compose-1","n":"%s","e":"AQAB"}]}\n' \
    "$(printf '%b' "$bytes" | base64url)" | write jwks.json
