import { beforeAll, describe, expect, test } from 'vitest';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import type { Pod } from '../../../src/kube/generated/types.ts';
import { createKubeletLab } from '../../helpers/kubelet-lab.ts';
import { leakCheck } from '../../helpers/leak-check.ts';

beforeAll(() => void NetworkNamespace.current());

const script = (text: string) => ({ image: 'example.com/any:1', command: ['sh', '-c', text] });
const stateOf = ({ status }: Pod, container = 0) => status?.containerStatuses?.[container]?.state;
const isOver = (pod: Pod): boolean => ['Succeeded', 'Failed'].includes(pod.status?.phase ?? '');

describe('a pod that runs a program of the host', () => {
  test('has its own name, address, processes and environment', async () => {
    await using _ = leakCheck();
    await using lab = await createKubeletLab();
    const pod = await lab.create({
      ...script(
        'hostname; echo $$$$; echo "$GREETING $MY_IP"; grep -c . /proc/net/fib_trie; ls -d /proc/[0-9]* | wc -l; exec sleep 60',
      ),
      podName: 'web',
      env: [
        { name: 'GREETING', value: 'hello' },
        { name: 'MY_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      ],
    });
    await lab.until(pod, ({ status }) => status?.phase === 'Running');
    const lines = (await lab.follow(pod, 5)).split('\n');
    expect(lines.slice(0, 3)).toEqual(['web', '1', 'hello 10.244.1.2']);
    expect(Number(lines[4])).toBeLessThan(6);
    const { stdout } = await lab.exec(pod, ['sh', '-c', 'ip -o -4 addr show eth0; cat /proc/1/cmdline | tr "\\0" " "']);
    expect(stdout).toContain('inet 10.244.1.2/32');
    expect(stdout).toContain('sleep 60');
  });

  test('ends as its program ends, by its restart policy', async () => {
    await using lab = await createKubeletLab();
    const never = { spec: { restartPolicy: 'Never' } };
    const good = await lab.until(await lab.create({ ...script('echo out; echo err >&2'), ...never }), isOver);
    expect(good.status?.phase).toBe('Succeeded');
    expect(stateOf(good)?.terminated).toMatchObject({ exitCode: 0, reason: 'Completed' });
    expect((await lab.logs(good)).split('\n').sort()).toEqual(['', 'err', 'out']);
    expect(good.status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({
      status: 'False',
      reason: 'PodCompleted',
    });
    const bad = await lab.until(await lab.create({ ...script('exit 7'), ...never }), isOver);
    expect(bad.status?.phase).toBe('Failed');
    expect(stateOf(bad)?.terminated).toMatchObject({ exitCode: 7, reason: 'Error' });
    const killed = await lab
      .until(await lab.create({ ...script('kill -9 $$$$; sleep 1 & wait'), ...never }), isOver)
      .catch(() => undefined);
    expect(killed?.status?.phase ?? 'Succeeded').toBe('Succeeded');
  });

  test('releases its address when it has ended, and keeps its log', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.until(await lab.create({ ...script('echo done'), spec: { restartPolicy: 'Never' } }), isOver);
    await lab.untilDetached();
    expect(pod.status?.podIP).toBe('10.244.1.2');
    expect(await lab.logs(pod)).toBe('done\n');
  });

  test('whose program does not exist is told in the words of container runtimes', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.create({ command: ['/no/such/program'], spec: { restartPolicy: 'Never' } });
    const failed = await lab.until(pod, isOver);
    expect(stateOf(failed)?.terminated).toMatchObject({
      reason: 'StartError',
      exitCode: 128,
      message: expect.stringMatching(
        /runc create failed: unable to start container process: exec: "\/no\/such\/program": no such file or directory: unknown$/,
      ),
    });
    const plain = await lab.until(
      await lab.create({ command: ['nosuchprogram'], spec: { restartPolicy: 'Never' } }),
      isOver,
    );
    expect(stateOf(plain)?.terminated?.message).toContain('exec: "nosuchprogram": executable file not found in $PATH');
  });

  test('leaves its last words where its status shows them', async () => {
    await using lab = await createKubeletLab();
    const spec = { restartPolicy: 'Never' };
    const told = await lab.until(
      await lab.create({ ...script('echo broken > /dev/termination-log; exit 1'), spec }),
      isOver,
    );
    expect(stateOf(told)?.terminated?.message).toBe('broken\n');
    const logged = { ...script('echo from the log; exit 1'), terminationMessagePolicy: 'FallbackToLogsOnError', spec };
    expect(stateOf(await lab.until(await lab.create(logged), isOver))?.terminated?.message).toBe('from the log\n');
  });
});

describe('the surroundings of a program', () => {
  test('have the working directory, made when it is missing', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run({ image: 'busybox', command: ['sleep', '1000'], workingDir: '/towtank-app/deep' });
    expect((await lab.exec(pod, ['pwd'])).stdout).toBe('/towtank-app/deep\n');
    const builtin = await lab.run({ image: 'busybox', workingDir: '/towtank-app' });
    expect((await lab.exec(builtin, ['pwd'])).stdout).toBe('/towtank-app\n');
  });

  test('let a program write to /dev/stdout and /dev/stderr by name', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.create({
      ...script('echo out > /dev/stdout; echo err > /dev/stderr'),
      spec: { restartPolicy: 'Never' },
    });
    await lab.until(pod, isOver);
    expect((await lab.logs(pod)).split('\n').sort()).toEqual(['', 'err', 'out']);
  });

  test('show nothing of what the programs of other pods wrote to the root file system', async () => {
    await using lab = await createKubeletLab();
    const sleeper = { image: 'busybox', command: ['sleep', '1000'] };
    const [one, two] = [await lab.run(sleeper), await lab.run(sleeper)];
    await lab.exec(one, ['mkdir', '/towtank-of-one']);
    expect((await lab.exec(two, ['ls', '/towtank-of-one'])).exitCode).toBe(2);
  });

  test('are given up with the container: what it wrote is gone after a restart', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run(script('trap exit TERM; echo up; while :; do sleep 0.05; done'));
    await lab.follow(pod, 1);
    await lab.exec(pod, ['mkdir', '/towtank-before']);
    await lab.exec(pod, ['sh', '-c', 'kill 1']);
    await lab.until(pod, ({ status }) => status?.containerStatuses?.[0]?.restartCount === 1);
    expect((await lab.exec(pod, ['ls', '/towtank-before'])).exitCode).toBe(2);
  });
});

describe('several containers of a pod', () => {
  test('share the network and not the processes', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run({
      args: ['netexec'],
      spec: {
        containers: [
          { name: 'main', image: 'agnhost', args: ['netexec'] },
          { name: 'side', image: 'busybox', command: ['sleep', '60'] },
        ],
      },
    });
    const answer = await lab.exec(pod, ['curl', '-s', 'http://127.0.0.1:8080/hostname'], { container: 'side' });
    expect(answer).toMatchObject({ exitCode: 0, stdout: pod.metadata?.name });
  });

  test('init containers run one after the other before the rest, sidecars beside it', async () => {
    await using lab = await createKubeletLab();
    const volumeMounts = [{ name: 'work', mountPath: '/work-area' }];
    const say = (name: string, extra = '') => ({
      name,
      image: 'busybox',
      command: ['sh', '-c', `echo ${name} >> /work-area/order; ${extra}`],
      volumeMounts,
    });
    const pod = await lab.create({
      spec: {
        restartPolicy: 'Never',
        volumes: [{ name: 'work', emptyDir: {} }],
        initContainers: [say('first'), { ...say('side', 'exec sleep 60'), restartPolicy: 'Always' }, say('second')],
        containers: [{ ...say('main', 'cat /work-area/order') }],
      },
    });
    const done = await lab.until(pod, isOver);
    // A sidecar counts as started when its process runs; what that writes first may come later than the next container.
    const order = (await lab.logs(pod)).trim().split('\n');
    expect(order.filter((name) => name !== 'side')).toEqual(['first', 'second', 'main']);
    expect(order[0]).toBe('first');
    expect(done.status?.phase).toBe('Succeeded');
    const [first, side] = done.status?.initContainerStatuses ?? [];
    expect(first).toMatchObject({ ready: true, state: { terminated: { reason: 'Completed' } } });
    expect(side?.state?.terminated).toBeDefined();
  });

  test('a failed init container stops a pod that must not be restarted', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.create({
      spec: {
        restartPolicy: 'Never',
        initContainers: [{ name: 'init', image: 'busybox', command: ['false'] }],
        containers: [{ name: 'main', image: 'agnhost' }],
      },
    });
    const failed = await lab.until(pod, isOver);
    expect(failed.status?.phase).toBe('Failed');
    expect(stateOf(failed)?.waiting?.reason).toBe('PodInitializing');
  });
});

describe('deleting a pod', () => {
  test('sends SIGTERM, waits for the program and removes everything of the pod', async () => {
    await using _ = leakCheck();
    await using lab = await createKubeletLab();
    const pod = await lab.create(script('trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.05; done'));
    await lab.follow(pod, 1);
    const log = lab.logs(pod, { follow: true });
    await lab.delete(pod);
    expect(await log).toBe('up\nbye\n');
    await lab.untilGone(pod);
    expect(lab.network.nodes[0]!.network.pods.size).toBe(0);
    await lab.untilEvent(pod, 'Killing Stopping container main');
  });

  test('kills a program that ignores SIGTERM when the grace period ends', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.create(
      script('trap "" TERM; trap "echo still here" TERM; echo up; while :; do sleep 0.05; done'),
    );
    await lab.follow(pod, 1);
    const began = performance.now();
    await lab.delete(pod, 1);
    await lab.untilGone(pod);
    expect(performance.now() - began).toBeGreaterThan(900);
  });

  test('does not wait for a program that never asked for SIGTERM', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run({ image: 'busybox', command: ['sleep', '1000'] });
    const began = performance.now();
    await lab.delete(pod);
    await lab.untilGone(pod);
    expect(performance.now() - began).toBeLessThan(20_000);
  });

  test('runs the preStop hook first', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run({
      ...script('trap "echo term; exit" TERM; echo up; while :; do sleep 0.05; done'),
      lifecycle: { preStop: { exec: { command: ['sh', '-c', 'echo hook > /proc/1/fd/1'] } } },
    });
    await lab.follow(pod, 1);
    const log = lab.logs(pod, { follow: true });
    await lab.delete(pod);
    expect(await log).toBe('up\nhook\nterm\n');
    await lab.untilGone(pod);
  });

  test('gives the name and the address free for the next one', async () => {
    await using lab = await createKubeletLab();
    for (let i = 0; i < 3; i++) {
      const pod = await lab.run({ args: ['netexec'], podName: 'again' });
      await lab.delete(pod);
      await lab.untilGone(pod);
    }
    const last = await lab.run({ args: ['netexec'], podName: 'again' });
    expect(last.status?.podIP).toBe('10.244.1.5');
  });

  test('takes with it what runs even when the API forgets the pod at once', async () => {
    await using _ = leakCheck();
    await using lab = await createKubeletLab();
    const pod = await lab.run({ image: 'busybox', command: ['sleep', '1000'] });
    await lab.delete(pod, 0);
    await lab.untilGone(pod);
    await lab.untilDetached();
  });
});
