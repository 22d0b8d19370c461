#!/bin/sh
# Pid 1 of the container: runs towtank with the words given and buries orphans, which become its children. Every wait of a shell
# buries whatever child has died; Node only waits for children that it knows. A shell, or a program by its path, runs instead.
case ${1-} in
  sh | bash | /*) exec "$@" ;;
esac
exec 3<&0
/usr/local/bin/towtank "$@" <&3 3<&- &
child=$!
exec 3<&- </dev/null
trap 'kill -s TERM "$child"' TERM HUP
trap 'kill -s INT "$child"' INT
wait "$child"
status=$?
# A wait that a signal ended says nothing of the child.
while kill -s 0 "$child" 2>/dev/null; do
  wait "$child"
  status=$?
done
exit "$status"
