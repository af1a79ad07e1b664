#!/usr/bin/env bash
# curl against WEIR_BASE_URL with WEIR_API_KEY; the environment is as for python/check.py.
set -euo pipefail
passed=0
failed=0
check() { # NAME WANTED COMMAND…
  local name=$1 wanted=$2 got
  shift 2
  got=$("$@" 2>&1) || true
  if [[ $got == *"$wanted"* ]]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'curl %s: FAILED, %q is not in\n%s\n' "$name" "$wanted" "$got"
  fi
}
body() { printf '{"model":"%s%s","messages":[{"role":"user","content":"a weir"}]%s}' "${WEIR_MODELS:-}" "$1" "${2:-}"; }
ask() { curl -sS --max-time 20 -H "Authorization: Bearer $WEIR_API_KEY" -H 'Content-Type: application/json' "$@"; }
chat=$WEIR_BASE_URL/chat/completions

check chat '"chat.completion"' ask "$chat" -d "$(body plain)"
check stream 'data: [DONE]' ask -N "$chat" -d "$(body plain ',"stream":true')"
check 'request id' 'x-request-id' ask -D - -o /dev/null "$chat" -d "$(body plain)"
check chunked '"chat.completion"' ask "$chat" -H 'Transfer-Encoding: chunked' -d "$(body plain)"
check models '"object":"list"' ask "$WEIR_BASE_URL/models"
check expect '"chat.completion"' ask -H 'Expect: 100-continue' "$chat" -d "$(body plain)"
check 'two on one connection' '200 200' \
  ask -w '%{http_code} ' -o /dev/null -o /dev/null "$chat" "$chat" -d "$(body plain)"
check 'not found' '"code":"model_not_found"' ask "$chat" -d "$(body e404)"
check 'an answer of 20 MiB' '209' \
  ask -w '%{size_download}' -o /dev/null "$chat" -d "$(body huge20)"
if [ "${WEIR_VIA:-weir}" = weir ]; then
  check 'no key' '"code":"missing_api_key"' curl -sS "$chat" -d "$(body plain)"
  check 'not JSON' '"code":"invalid_json"' ask "$chat" -d '{'
fi
echo "$passed passed, $failed failed (curl)"
[ "$failed" = 0 ]
