import { readFileSync } from 'node:fs';

// As setpriv(1) calls them, by number.
const names = [
  ...['chown', 'dac_override', 'dac_read_search', 'fowner', 'fsetid', 'kill', 'setgid', 'setuid', 'setpcap'],
  ...['linux_immutable', 'net_bind_service', 'net_broadcast', 'net_admin', 'net_raw', 'ipc_lock', 'ipc_owner'],
  ...['sys_module', 'sys_rawio', 'sys_chroot', 'sys_ptrace', 'sys_pacct', 'sys_admin', 'sys_boot', 'sys_nice'],
  ...['sys_resource', 'sys_time', 'sys_tty_config', 'mknod', 'lease', 'audit_write', 'audit_control', 'setfcap'],
];

let words: readonly string[] | undefined;

/** Options of setpriv(1) that let a program keep this process's capabilities when it becomes another user. */
export function keptCapabilities(): readonly string[] {
  words ??= capabilityOptions(readFileSync('/proc/self/status', 'latin1'));
  return words;
}

/** The same from the text of /proc/PID/status; none without permitted capabilities. */
export function capabilityOptions(status: string): readonly string[] {
  const permitted = BigInt(`0x${/^CapPrm:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const held = names.filter((_, number) => ((permitted >> BigInt(number)) & 1n) === 1n);
  if (held.length === 0) return [];
  const list = held.map((name) => `+${name}`).join(',');
  return [`--inh-caps=${list}`, `--ambient-caps=${list}`];
}
