import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

const folder = new URL('../../../netns-scripts', import.meta.url).pathname;

function act(name: string, env: Readonly<Record<string, string>> = {}): string {
  const { status, stdout, stderr } = spawnSync('sh', [`${folder}/${name}.sh`], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

describe('netns-scripts, each run alone', () => {
  it('01-nodes puts nodes and a client on a switch', () => {
    expect(act('01-nodes')).toContain('172.18.0.2 dev eth0 src 172.18.1.1');
  });
  it('02-pods lets a pod call a pod of its node', () => {
    expect(act('02-pods')).toContain('web-1 saw 10.244.1.20');
  });
  it('03-routes lets a pod call a pod of another node, which sees its address', () => {
    expect(act('03-routes')).toContain('web-2 saw 10.244.1.20');
  });
  it('04-service-random spreads the calls over both pods', () => {
    expect(act('04-service-random')).toMatch(/\d+ web-1 saw 10.244.1.20\n +\d+ web-2 saw 10.244.1.20/);
  });
  it('05-service-round-robin takes turns', () => {
    expect(act('05-service-round-robin').match(/^web-[12]/gm)).toHaveLength(6);
  });
  it('06-nodeport lets the client in, seen as the node it came through', () => {
    expect(act('06-nodeport')).toMatch(/web-[12] saw 172.18.0.2\nweb-[12] saw 172.18.0.3/);
  });
  it('07-teardown leaves nothing', () => {
    expect(act('07-teardown')).toContain('Nothing is left.');
  });
  it('works with perl where there is no python3', () => {
    expect(act('03-routes', { WITHOUT_PYTHON: '1' })).toContain('web-2 saw 10.244.1.20');
  });
  it('00-shell runs a command in the private network and removes it afterwards', () => {
    const { stdout } = spawnSync(
      'sh',
      [`${folder}/00-shell.sh`, 'sh', '-c', 'sh 01-nodes.sh >/dev/null && ip netns list'],
      { encoding: 'utf8' },
    );
    expect(stdout).toContain('node-1');
    expect(spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout).not.toContain('node-1');
  });
});
