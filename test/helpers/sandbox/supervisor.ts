// What runs in the sandboxes of sandbox.test.ts: a small lab, and an HTTP server for the host on the inherited descriptor 3.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { runProgram } from '../../../src/kernel/programs/run-program.ts';
import { startProgram } from '../../../src/kernel/programs.ts';
import { createIptablesRunner } from '../../../src/kernel/runners/iptables-runner.ts';
import { prepareSandbox } from '../../../src/kernel/sandbox.ts';
import { writeSysctl } from '../../../src/kernel/sysctl.ts';
import { createLab } from '../kernel-lab.ts';

prepareSandbox();
const lab = await createLab({ nodes: 2, podsPerNode: 1 });
const [node] = lab.nodes;
const [pod, other] = lab.pods;
await lab.serve(other!, { port: 80, as: process.argv[2]! });
writeSysctl(NetworkNamespace.current(), 'net.ipv4.ip_local_port_range', '20000 21000');
await createIptablesRunner(node!.netns, { backend: 'nft' }).restore('ipv4', '*nat\n-A OUTPUT -j ACCEPT\nCOMMIT\n', {
  noflush: false,
});
writeFileSync('/run/resolv.conf', 'nameserver 10.96.0.10\n');
const sandbox = { hostname: 'pod', files: { '/etc/resolv.conf': '/run/resolv.conf' }, proc: true };
const sleeper = startProgram({ command: ['sleep', '1000'], netns: pod!.netns, sandbox });
// Its child outlives it and becomes an orphan, which must not stay as a zombie.
const orphan = startProgram({ command: ['sh', '-c', 'sleep 0.05 & exit 0'], netns: node!.netns });
await orphan.exited;

process.on('SIGTERM', () => {
  process.stdout.write('ended by SIGTERM\n');
  process.exit(0);
});

createServer(async (request, response) => {
  const answer = await lab.ask(pod!, { host: lab.addressOf(other!), port: 80 });
  const states = [...readFileSync('/proc/mounts', 'utf8').matchAll(/^\S+ (\/\S*) (\S+)/gm)].map(
    ([, at, type]) => `${at} ${type}`,
  );
  const facts = {
    pid: process.pid,
    uid: process.getuid?.(),
    arguments: process.argv.slice(2, 4),
    stateFolder: readdirSync(process.argv[4]!),
    resolvers: (await runProgram({ command: ['cat', '/etc/resolv.conf'], sandbox })).stdout,
    sleeper: sleeper.pid,
    answer,
    mounts: states,
    url: request.url,
  };
  response.end(JSON.stringify(facts));
}).listen({ fd: 3 });
