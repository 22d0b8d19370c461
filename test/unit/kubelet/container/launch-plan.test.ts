import { describe, expect, test } from 'vitest';
import type { Container } from '../../../../src/kube/generated/types.ts';
import { ImageError, planCommand, planLaunch } from '../../../../src/kubelet/container/launch-plan.ts';
import { builtinImages } from '../../../../src/kubelet/images/builtin-images.ts';
import { ImageStore } from '../../../../src/kubelet/images/image-store.ts';

const images = new ImageStore(builtinImages);

function plan(container: Omit<Container, 'name'>, env: Record<string, string> = {}): string {
  const launch = planLaunch({ name: 'main', ...container }, images, env);
  const words = launch.kind === 'builtin' ? launch.args : launch.command;
  return `${launch.kind} ${launch.kind === 'builtin' ? launch.image.names[0] : ''}[${words.join(' ')}]`;
}

describe('what a container runs', () => {
  test.each([
    [
      { image: 'registry.k8s.io/e2e-test-images/agnhost:2.53', args: ['netexec', '--http-port=80'] },
      'builtin agnhost[netexec --http-port=80]',
    ],
    [{ image: 'agnhost' }, 'builtin agnhost[pause]'],
    [{ image: 'agnhost', command: ['/agnhost', 'porter'] }, 'builtin agnhost[porter]'],
    [{ image: 'agnhost', command: ['sh', '-c', 'true'] }, 'program [sh -c true]'],
    [{ image: 'nginx:1.25' }, 'builtin nginx[]'],
    [{ image: 'nginx', args: ['nginx', '-g', 'daemon off;'] }, 'builtin nginx[-g daemon off;]'],
    [{ image: 'nginx', command: ['/usr/sbin/nginx'] }, 'builtin nginx[]'],
    [{ image: 'nginx', args: ['sleep', '5'] }, 'program [sleep 5]'],
    [{ image: 'busybox:1' }, 'builtin busybox[]'],
    [{ image: 'busybox', args: ['sleep', '100'] }, 'program [sleep 100]'],
    [{ image: 'busybox', stdin: true }, 'program [sh]'],
    [{ image: 'example.com/unknown', command: ['python3'], args: ['-V'] }, 'program [python3 -V]'],
    [{ image: 'ealen/echo-server' }, 'builtin ealen/echo-server[]'],
  ] as const)('%j is %s', (container, expected) => {
    expect(plan(container)).toBe(expected);
  });

  test('has $(NAME) in its words expanded', () => {
    expect(plan({ image: 'busybox', command: ['echo', '$(GREETING)'] }, { GREETING: 'hi' })).toBe('program [echo hi]');
  });

  test('an unknown image without a command lists what there is', () => {
    const launch = () => plan({ image: 'example.com/shop:1' });
    expect(launch).toThrow(ImageError);
    expect(launch).toThrow(/towtank pulls nothing.*agnhost, alpine, /);
  });

  test('an unknown image that must not be pulled is not present', () => {
    expect(() => plan({ image: 'shop', imagePullPolicy: 'Never' })).toThrow(
      'Container image "shop" is not present with pull policy of Never',
    );
  });

  test.each(['', 'UPPER', 'a b', 'nginx:', 'http://nginx', '-x', 'nginx@sha256:short', 'a//b'])(
    'image name %j is invalid',
    (image) => {
      expect(() => plan({ image })).toThrow(expect.objectContaining({ reason: 'InvalidImageName' }));
    },
  );

  test('a command of exec may be a program of the image too', () => {
    const image = images.find('agnhost');
    expect(planCommand(image, ['/agnhost', 'connect', 'x:1'])).toMatchObject({
      kind: 'builtin',
      args: ['connect', 'x:1'],
    });
    expect(planCommand(image, ['agnhostx'])).toMatchObject({ kind: 'program' });
    expect(planCommand(undefined, ['agnhost'])).toMatchObject({ kind: 'program' });
  });
});

describe('the name of an image', () => {
  test('finds it whatever the registry, tag and digest', () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    for (const name of ['nginx', 'docker.io/library/nginx', 'localhost:5000/mirror/nginx:1.2', `nginx@${digest}`]) {
      expect(images.find(name)?.names[0]).toBe('nginx');
    }
    expect(images.find('nginxx')).toBeUndefined();
  });

  test('a longer match wins, and a later image replaces an earlier one of the same name', () => {
    expect(images.find('docker.io/ealen/echo-server')?.names[0]).toBe('ealen/echo-server');
    const mine = { ...images.find('nginx')!, summary: 'mine' };
    expect(new ImageStore([...builtinImages, mine]).find('nginx:1')?.summary).toBe('mine');
  });
});
