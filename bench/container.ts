// What a container costs: from its start to the first line of output and to the first answer by name, to its end, its memory and
// its size. As root, with podman, runc and mmdebstrap. Prints a Markdown table of medians.
//   node bench/container.ts [rounds]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Container, ContainerLab, reasonAgainstContainers } from '../test/helpers/container-lab.ts';

const ROUNDS = Number(process.argv[2] ?? 5);

const manifest = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
`;

// In the container itself, as what an engine needs to make one is not ours: prints milliseconds since the first process.
const measure = `
begin=$(date +%s%3N)
/opt/towtank/container/entrypoint.sh up --foreground --join-host --api-port 6443 --apply /web.yaml > /tmp/out &
child=$!
trap 'kill "$child"' TERM
until [ -s /tmp/out ]; do sleep 0.005; done
line=$(date +%s%3N)
until curl -sf -o /dev/null --max-time 1 http://web; do sleep 0.005; done
answer=$(date +%s%3N)
echo "measured $((line - begin)) $((answer - begin))"
until wait "$child"; do kill -0 "$child" || break; done`;

const memory = "cat /proc/[0-9]*/smaps_rollup 2>/dev/null | awk '/^Pss:/ { sum += $2 } END { print int(sum / 1000) }'";

interface Sample {
  readonly line: number;
  readonly answer: number;
  readonly megabytes: number;
  readonly stop: number;
}

async function sample(lab: ContainerLab, name: string, capAdd: readonly string[]): Promise<Sample> {
  const options = ['--entrypoint', '/bin/sh', '-v', `${folder}/web.yaml:/web.yaml:ro`];
  const container: Container = lab.start(name, { capAdd, options, command: ['-c', measure] });
  const [, line, answer] = /measured (\d+) (\d+)/.exec(await container.saying('measured')) ?? [];
  const megabytes = Number(container.script(memory));
  const began = performance.now();
  container.stop();
  return { line: Number(line), answer: Number(answer), megabytes, stop: performance.now() - began };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const reason = reasonAgainstContainers();
const made = reason ?? (await ContainerLab.create());
if (typeof made === 'string') throw new Error(made);
const folder = mkdtempSync(join(tmpdir(), 'towtank-bench-'));
writeFileSync(join(folder, 'web.yaml'), manifest);
try {
  process.stdout.write('| tier | first line | first answer by name | `stop` | memory |\n|---|---|---|---|---|\n');
  for (const [tier, capAdd] of [
    ['full', ['NET_ADMIN', 'SYS_ADMIN']],
    ['flat', ['NET_ADMIN']],
    ['loopback', []],
  ] as const) {
    const samples: Sample[] = [];
    for (let round = 0; round < ROUNDS; round++) samples.push(await sample(made, `bench-${tier}-${round}`, capAdd));
    const of = (field: keyof Sample): string => median(samples.map((each) => each[field])).toFixed(0);
    process.stdout.write(
      `| ${tier} | ${of('line')} ms | ${of('answer')} ms | ${of('stop')} ms | ${of('megabytes')} MB |\n`,
    );
  }
  const size = Number(made.podman(['image', 'inspect', 'towtank', '--format', '{{.Size}}']));
  process.stdout.write(`\nimage: ${(size / 1e6).toFixed(0)} MB\n`);
} finally {
  await made[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
}
