#!/usr/bin/env bash
# Prints a bearer token for the stack of docker-compose.yml, good for one hour, signed with the key that
# make-secrets.sh made:
#
#     token.sh TENANT SUBJECT [ROLE...]
#     curl --header "Authorization: Bearer $(deploy/compose/token.sh acme 42 coordinator)" ...
set -euo pipefail

if (($# < 2)); then
    echo "usage: $0 TENANT SUBJECT [ROLE...]" >&2
    exit 2
fi
for word in "$@"; do # they go into JSON as they are
    if [[ ! "$word" =~ ^[A-Za-z0-9._:@-]+$ ]]; then
        echo "only letters, digits and . _ : @ - are allowed: $word" >&2
        exit 2
    fi
done
tenant="$1" subject="$2"
shift 2
roles=""
for role in "$@"; do
    roles+="${roles:+,}\"$role\""
done

key="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)/secrets/signing_key.pem"
now="$(date +%s)"
# Issuer and audience as docker-compose.yml tells them to the services.
header='{"alg":"RS256","typ":"JWT","kid":"compose-1"}'
claims="$(printf '{"iss":"%s","aud":"%s","iat":%d,"exp":%d,"sub":"%s","tenant":"%s","roles":[%s]}' \
    https://issuer.mentoring.example mentoring "$now" "$((now + 3600))" "$subject" "$tenant" "$roles")"

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

body="$(printf '%s' "$header" | base64url).$(printf '%s' "$claims" | base64url)"
printf '%s.%s\n' "$body" "$(printf '%s' "$body" | openssl dgst -sha256 -sign "$key" | base64url)"
