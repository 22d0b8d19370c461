import { type Command, Option } from 'commander';
import { UserError } from '../../errors/towtank-error.ts';
import type { Outcome } from '../outcome.ts';
import { nameOption, outputOption } from './options.ts';
import type { QueryOptions } from './query-dns.ts';

interface ServeOptions {
  readonly file?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly listen: string;
  readonly corefile?: string;
  readonly clusterDomain: string;
}

/** `dns query` asks the DNS of a running cluster; `dns serve` needs no cluster, no kernel and no privilege. */
export function addDnsCommands(program: Command, outcome: Outcome): void {
  const dns = program
    .command('dns')
    .description('ask cluster DNS and see why it answers so, or serve it anywhere')
    .addHelpText(
      'after',
      '\nExamples:\n  towtank dns query web --from shell\n  towtank dns serve -f objects.yaml --listen 127.0.0.1:5300',
    );
  addQuery(dns, outcome);
  addServe(dns);
}

function addQuery(dns: Command, outcome: Outcome): void {
  dns
    .command('query')
    .description(
      'resolve a name as a program in a pod would: the search walk, each question, and why it is answered so',
    )
    .argument('<name>', 'a name, searched for unless it ends with a dot; or an address')
    .argument('[type]', 'A, AAAA, SRV, PTR, TXT, ... (default: A; PTR for an address)')
    .requiredOption('--from <place>', 'a pod, namespace/pod, a node, or client')
    .addOption(nameOption())
    .addOption(new Option('-n, --namespace <namespace>', 'namespace of the pod').default('default'))
    .addOption(new Option('--library <libc>', 'whose search walk').choices(['glibc', 'musl']).default('glibc'))
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Examples:
  towtank dns query web --from shell
  towtank dns query _http._tcp.web.shop.svc.cluster.local. SRV --from shop/web-1
  towtank dns query 10.96.0.10 --from shell
  towtank dns query www.example.com --from shell --library musl -o json`,
    )
    .action(async (name: string, type: string | undefined, options: Omit<QueryOptions, 'word' | 'type'>) => {
      const { queryDns } = await import('./query-dns.ts');
      outcome.exitCode = await queryDns({ ...options, word: name, type });
    });
}

function addServe(dns: Command): void {
  dns
    .command('serve')
    .description('serve the zone of a file of objects, read again when it changes, or of any API server')
    .option('-f, --file <objects.yaml>', 'Namespaces, Services, EndpointSlices, Pods as kubectl prints them')
    .addOption(new Option('--kubeconfig <file>', 'follow the API server that it names').conflicts('file'))
    .option('--context <name>', 'a context of the kubeconfig (default: the current one)')
    .requiredOption('--listen <address:port>', 'where to listen, UDP and TCP')
    .option('--corefile <file>', 'a Corefile; default: the zone, forwarding to /etc/resolv.conf')
    .option('--cluster-domain <domain>', 'domain of the zone', 'cluster.local')
    .addHelpText(
      'after',
      `
Examples:
  towtank dns serve -f objects.yaml --listen 127.0.0.1:5300
  towtank dns serve --kubeconfig ~/.kube/config --listen 127.0.0.1:5300
  dig @127.0.0.1 -p 5300 web.default.svc.cluster.local`,
    )
    .action(async (options: ServeOptions) => {
      if (options.file === undefined && options.kubeconfig === undefined) {
        throw new UserError({
          code: 'ERR_USAGE',
          message: 'nothing to serve',
          hint: 'say -f objects.yaml, or --kubeconfig file',
        });
      }
      const { serveDnsHere } = await import('../../cluster/offline/serve-dns-here.ts');
      await serveDnsHere({ ...options, ...splitListen(options.listen) });
    });
}

function splitListen(text: string): { readonly address: string; readonly port: number } {
  const [, address, port] = /^\[?([0-9a-fA-F:.]*)\]?:(\d{1,5})$/.exec(text) ?? [];
  if (address === undefined || Number(port) > 65535) {
    throw new UserError({
      code: 'ERR_USAGE',
      message: `--listen ${text} is no address and port`,
      hint: 'write 127.0.0.1:5300 or [::1]:5300',
    });
  }
  return { address, port: Number(port) };
}
