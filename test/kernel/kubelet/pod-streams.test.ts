import { PassThrough } from 'node:stream';
import { beforeAll, describe, expect, test } from 'vitest';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { isReason } from '../../../src/kube/status.ts';
import { createKubeletLab } from '../../helpers/kubelet-lab.ts';
import { leakCheck } from '../../helpers/leak-check.ts';
import { text } from '../../helpers/read-text.ts';

beforeAll(() => void NetworkNamespace.current());

const kinds = [
  ['a built-in image', { image: 'busybox' }],
  ['a program', { image: 'busybox', command: ['sleep', '1000'] }],
] as const;

describe.each(kinds)('exec into a container of %s', (_name, container) => {
  test('keeps the streams apart and passes the exit code on', async () => {
    await using _ = leakCheck();
    await using lab = await createKubeletLab();
    const pod = await lab.run(container);
    expect(await lab.exec(pod, ['sh', '-c', 'echo out; echo err >&2; exit 7'])).toEqual({
      exitCode: 7,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    expect(await lab.exec(pod, ['sh', '-c', 'kill -9 $$'])).toMatchObject({ exitCode: 137 });
  });

  test('takes 3 MB in and gives 5 MB out, to the byte', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run(container);
    const up = await lab.exec(pod, ['wc', '-c'], { input: '\0'.repeat(3_000_000) });
    expect(up.stdout.trim()).toBe('3000000');
    const down = await lab.exec(pod, ['head', '-c', '5000000', '/dev/zero']);
    expect(down.stdout.length).toBe(5_000_000);
  });

  test('has a terminal of the size of the client', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run(container);
    const [stdout, stdin] = [new PassThrough(), new PassThrough()];
    const output = text(stdout);
    const resize = (async function* () {
      yield { width: 132, height: 43 };
    })();
    // What is typed may arrive before the size.
    const sized = 'until [ "$(stty size)" != "24 80" ]; do sleep 0.01; done';
    const command = ['sh', '-c', `read line; ${sized}; stty size; tty; echo "$line $TERM"`];
    const ended = lab.kubelets.exec(pod, 'main', {
      command,
      stdin,
      stdout,
      tty: true,
      resize,
      signal: new AbortController().signal,
    });
    stdin.write('typed\n');
    expect(await ended).toEqual({ exitCode: 0 });
    stdout.end();
    expect(await output).toMatch(/typed\r\n43 132\r\n\/dev\/pts\/\d+\r\ntyped xterm\r\n$/);
  });

  test('of a program that does not exist fails as in a container runtime', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run(container);
    expect(await lab.exec(pod, ['nosuchprogram'])).toEqual({
      exitCode: 127,
      stdout: '',
      stderr:
        'OCI runtime exec failed: exec failed: unable to start container process: exec: "nosuchprogram": executable file not found in $PATH\n',
    });
  });

  test('is killed when its client is gone', async () => {
    await using _ = leakCheck();
    await using lab = await createKubeletLab();
    const pod = await lab.run(container);
    const abort = new AbortController();
    const stdout = new PassThrough();
    const ended = lab.kubelets.exec(pod, 'main', {
      command: ['sh', '-c', 'echo up; exec sleep 1000'],
      stdout,
      tty: false,
      signal: abort.signal,
    });
    stdout.once('data', () => abort.abort());
    expect(await ended).toEqual({ exitCode: 137 });
  });

  test('finds what an earlier one wrote', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run(container);
    await lab.exec(pod, ['sh', '-c', 'mkdir /towtank-mine && echo kept > /towtank-mine/file']);
    expect((await lab.exec(pod, ['cat', '/towtank-mine/file'])).stdout).toBe('kept\n');
  });
});

describe('logs', () => {
  const lines = { image: 'busybox', command: ['sh', '-c', 'for i in 0 1 2 3; do echo line $i; done; exec sleep 1000'] };

  test('can be cut by lines, bytes and time, and carry times', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run(lines);
    await lab.follow(pod, 4);
    expect(await lab.logs(pod, { tailLines: 1 })).toBe('line 3\n');
    expect(await lab.logs(pod, { tailLines: 0 })).toBe('');
    expect(await lab.logs(pod, { limitBytes: 9 })).toBe('line 0\nli');
    expect(await lab.logs(pod, { sinceSeconds: 3600 })).toBe('line 0\nline 1\nline 2\nline 3\n');
    expect(await lab.logs(pod, { sinceTime: new Date(Date.now() + 60_000).toISOString() })).toBe('');
    expect(await lab.logs(pod, { timestamps: true, tailLines: 1 })).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z line 3\n$/,
    );
  });

  test('are followed until the container ends', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run({
      image: 'busybox',
      command: ['sh', '-c', 'echo first; read x < /dev/null; sleep 0.2; printf last'],
      spec: { restartPolicy: 'Never' },
    });
    expect(await lab.logs(pod, { follow: true })).toBe('first\nlast');
  });

  test('of a container that has not started are refused with the reason', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.create({ image: 'example.com/unknown' });
    await lab.until(pod, ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === 'ErrImagePull');
    const error = await lab.kubelets.logs(pod, 'main', {}).catch((reason: unknown) => reason);
    expect(isReason(error, 'BadRequest') && error.message).toBe(
      `container "main" in pod "${pod.metadata?.name}" is waiting to start: trying and failing to pull image`,
    );
    const previous = await lab.kubelets.logs(pod, 'main', { previous: true }).catch((reason: unknown) => reason);
    expect((previous as Error).message).toBe(
      `previous terminated container "main" in pod "${pod.metadata?.name}" not found`,
    );
  });
});

describe('attach', () => {
  test('speaks with the main program', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run({
      image: 'busybox',
      stdin: true,
      stdinOnce: true,
      command: ['sh', '-c', 'while read line; do echo "heard $line"; done; echo end'],
      spec: { restartPolicy: 'Never' },
    });
    const [stdin, stdout] = [new PassThrough(), new PassThrough()];
    const output = text(stdout);
    const ended = lab.kubelets.attach(pod, 'main', { stdin, stdout, tty: false, signal: new AbortController().signal });
    stdin.end('one\ntwo\n');
    expect(await ended).toMatchObject({ exitCode: 0 });
    stdout.end();
    expect(await output).toBe('heard one\nheard two\nend\n');
  });

  test('lets go without an end of the program', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run({ args: ['netexec'] });
    const abort = new AbortController();
    const stdout = new PassThrough();
    const ended = lab.kubelets.attach(pod, 'main', { stdout, stderr: stdout, tty: false, signal: abort.signal });
    const line = new Promise((resolve) => stdout.once('data', resolve));
    await lab.fetch(lab.network.nodes[0]!.netns, { host: pod.status?.podIP ?? '', port: 8080, path: '/hostname' });
    expect(String(await line)).toContain('GET /hostname');
    abort.abort();
    await ended;
    expect(
      lab.kubelets
        .get('node-1')
        ?.workers.get(pod.metadata?.uid ?? '')
        ?.container('main')?.running,
    ).toBeDefined();
  });

  test('shows to whom it was made for what was printed before, once', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run({
      image: 'busybox',
      stdin: true,
      stdinOnce: true,
      command: ['sh', '-c', 'echo before; printf "prompt> "; read line; echo after'],
      spec: { restartPolicy: 'Never' },
    });
    await lab.follow(pod, 1);
    const [stdin, stdout] = [new PassThrough(), new PassThrough()];
    const output = text(stdout);
    const ended = lab.kubelets.attach(pod, 'main', { stdin, stdout, tty: false, signal: new AbortController().signal });
    stdin.end('x\n');
    await ended;
    stdout.end();
    expect(await output).toBe('before\nprompt> after\n');
  });

  test('a shell without a command runs when somebody wants to type', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run({ image: 'busybox', stdin: true, stdinOnce: true, spec: { restartPolicy: 'Never' } });
    const [stdin, stdout] = [new PassThrough(), new PassThrough()];
    const output = text(stdout);
    const ended = lab.kubelets.attach(pod, 'main', { stdin, stdout, tty: false, signal: new AbortController().signal });
    stdin.end('echo from $((6*7))\n');
    await ended;
    stdout.end();
    expect(await output).toBe('from 42\n');
  });
});

describe('port forwarding', () => {
  test('connects to the loopback of the pod', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run({ args: ['netexec'], podName: 'web' });
    for (let i = 0; i < 3; i++) {
      const stream = await lab.kubelets.portForward(pod, 8080);
      stream.write('GET /hostname HTTP/1.0\r\n\r\n');
      expect(await text(stream)).toMatch(/\r\n\r\nweb$/);
    }
  });

  test('is refused where nothing listens', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run({ args: ['pause'] });
    await expect(lab.kubelets.portForward(pod, 8080)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});
