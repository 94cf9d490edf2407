#!/bin/sh
# Beats over HTTP from the loop that does the work: with_curl.sh URL HEARTBEAT TOKEN_FILE [SECONDS]
# The work is to read a line of the standard input. If it hangs or ends, no beat follows.
url=$1/set/$2
token_file=$3
seen=
beat() {
    # The token is not on the command line, where others could read it.
    answer=$(printf 'header = "Authorization: Bearer %s"\n' "$(cat "$token_file")" |
        curl --silent --max-time 5 --config - --json "{\"seen\": \"$seen\"}" "$url")
    seen=$(printf '%s' "$answer" | sed -n 's/.*"seen":"\([^"]*\)".*/\1/p')
}
while read -r _; do
    fresh=$seen
    beat
    # The first answer has the value that proves the next beat.
    [ -n "$fresh" ] || beat
    echo "$2: $answer"
    sleep "${4:-5}"
done
