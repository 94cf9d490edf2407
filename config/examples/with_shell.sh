#!/bin/sh
# Beats while a program lives and does its work: with_shell.sh HEARTBEAT FILE PROGRAM …
# The program writes FILE at each round of its work. A file of more than a minute ago means that
# it hangs, and no beat is sent.
heartbeat=$1
LVMBEAT_EXAMPLE_FILE=$2
export LVMBEAT_EXAMPLE_FILE
shift 2
exec lvmbeat beat "$heartbeat" --check 'test "$(find "$LVMBEAT_EXAMPLE_FILE" -mmin -1)"' -- "$@"
