import type { BuiltinContext, BuiltinProcess } from '../builtin-image.ts';
import { finished } from '../serving/builtin-program.ts';

/** `agnhost etc-hosts`: prints the pod's /etc/hosts. */
export async function printHosts(context: BuiltinContext): Promise<BuiltinProcess> {
  context.print(await read(context, '/etc/hosts'));
  return finished(0);
}

/** `agnhost dns-suffix`: prints the pod's DNS search list, separated by commas. */
export async function printDnsSuffixes(context: BuiltinContext): Promise<BuiltinProcess> {
  const lines = (await read(context, '/etc/resolv.conf')).split('\n');
  const search = lines.findLast((line) => line.startsWith('search '));
  context.print(`${(search ?? '').split(/\s+/).slice(1).join(',')}\n`);
  return finished(0);
}

/** `agnhost dns-server-list`: prints the pod's DNS servers, separated by commas. */
export async function printDnsServers(context: BuiltinContext): Promise<BuiltinProcess> {
  const lines = (await read(context, '/etc/resolv.conf')).split('\n');
  const servers = lines.filter((line) => line.startsWith('nameserver ')).map((line) => line.split(/\s+/)[1]);
  context.print(`${servers.join(',')}\n`);
  return finished(0);
}

async function read(context: BuiltinContext, path: string): Promise<string> {
  const { stdout } = await context.run(['cat', path]);
  return stdout.toString('utf8');
}
