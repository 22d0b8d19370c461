/** What decides how namespaces can be had. */
export interface Privileges {
  /** CAP_SYS_ADMIN and CAP_NET_ADMIN are in effect: no user namespace is needed. */
  readonly administrator: boolean;
}

// Pid 1 of the sandbox. A shell, because orphans become its children and every wait of a shell buries whatever child has
// died, while Node only waits for children it knows. When it ends, the kernel kills whatever is left in the sandbox.
const init = `
echo up
exec >&2
"$@" &
child=$!
trap 'kill -s TERM "$child"' TERM
trap 'kill -s INT "$child"' INT
wait "$child"
status=$?
while kill -s 0 "$child" 2>/dev/null; do
  wait "$child"
  status=$?
done
exit "$status"
`;

/**
 * The words that start `command` in a sandbox of its own. They print `up` on standard output when the sandbox exists; all else
 * goes to standard error.
 */
export function sandboxCommand(
  privileges: Privileges,
  options: { readonly unshare: string; readonly command: readonly string[] },
): readonly string[] {
  return [
    options.unshare,
    ...(privileges.administrator ? [] : ['--user', '--map-root-user']),
    // Without --kill-child the sandbox would outlive a killed unshare; without a pid namespace processes would leak.
    ...['--net', '--mount', '--uts', '--ipc', '--pid', '--fork', '--kill-child', '--mount-proc'],
    ...['/bin/sh', '-c', init, 'towtank-init'],
    ...options.command,
  ];
}

// Stands beside a supervisor that has no namespaces of its own, as no kernel would clean up after it: whatever ends it, the same
// words with --clean follow. Should it be killed itself, its death tells the supervisor to stop.
const guard = `
"$0" --pdeathsig=TERM -- "$@" >&2 &
child=$!
echo up
exec >&2
trap 'kill -s TERM "$child"' TERM
trap 'kill -s INT "$child"' INT
wait "$child"
status=$?
while kill -s 0 "$child" 2>/dev/null; do
  wait "$child"
  status=$?
done
trap '' TERM INT
"$@" --clean
exit "$status"
`;

/**
 * The words that start `command` where it stands, by setpriv(1) of util-linux, and `command --clean` when it has ended. They print
 * `up` when it runs.
 */
export function guardCommand(command: readonly string[], setpriv: string): readonly string[] {
  return ['/bin/sh', '-c', guard, setpriv, ...command];
}
