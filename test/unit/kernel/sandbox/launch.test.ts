import { describe, expect, it } from 'vitest';
import { UserError } from '../../../../src/errors/towtank-error.ts';
import { sandboxCommand } from '../../../../src/kernel/sandbox/launch-command.ts';
import { type LaunchFacts, launchError } from '../../../../src/kernel/sandbox/launch-failure.ts';
import { readPrivileges } from '../../../../src/kernel/sandbox/privileges.ts';
import { firstChild, processStartTime } from '../../../../src/kernel/sandbox/process-identity.ts';

const facts: LaunchFacts = {
  stderr: 'unshare: unshare failed: Operation not permitted',
  administrator: false,
  container: false,
  apparmorRestriction: undefined,
  maxUserNamespaces: 15_000,
  unprivilegedUserNamespaces: undefined,
};

describe('a sandbox that cannot be made', () => {
  it('on Ubuntu, for an ordinary user: the four ways out are printed', () => {
    const error = launchError({
      ...facts,
      stderr: 'unshare: write failed /proc/self/uid_map: Operation not permitted',
      apparmorRestriction: 1,
    });
    expect(error).toBeInstanceOf(UserError);
    expect(error.code).toBe('ERR_NO_USER_NAMESPACES');
    for (const way of ['sudo towtank', 'apparmor_restrict_unprivileged_userns=0', 'userns,', 'podman unshare']) {
      expect(error.hint).toContain(way);
    }
  });

  it.each<[string, Partial<LaunchFacts>, string, RegExp]>([
    [
      'a machine without user namespaces',
      { maxUserNamespaces: 0 },
      'ERR_NO_USER_NAMESPACES',
      /user\.max_user_namespaces=15000/,
    ],
    ['Debian’s own switch', { unprivilegedUserNamespaces: 0 }, 'ERR_NO_USER_NAMESPACES', /unprivileged_userns_clone=1/],
    ['BusyBox', { stderr: "unshare: unrecognized option '--kill-child'" }, 'ERR_MISSING_PROGRAM', /util-linux/],
    ['a container', { container: true }, 'ERR_NO_USER_NAMESPACES', /--cap-add NET_ADMIN --cap-add SYS_ADMIN/],
    ['a container of Ubuntu', { container: true, apparmorRestriction: 1 }, 'ERR_NO_USER_NAMESPACES', /docker run/],
    [
      'a full machine',
      { administrator: true, stderr: 'unshare failed: No space left on device' },
      'ERR_PERMISSION',
      /max_net_namespaces/,
    ],
    ['an old kernel', {}, 'ERR_NO_USER_NAMESPACES', /CONFIG_USER_NS/],
  ])('on %s: what to do is told', (_, found, code, hint) => {
    const error = launchError({ ...facts, ...found });
    expect(error.code).toBe(code);
    expect(error.hint).toMatch(hint);
  });

  it('keeps the words of unshare', () => {
    expect(launchError({ ...facts, container: true }).message).toContain('unshare failed: Operation not permitted');
  });
});

describe('the command of a sandbox', () => {
  const options = { unshare: '/usr/bin/unshare', command: ['node', 'entry.ts', 'two words'] };

  it('makes a user namespace only for those who need one', () => {
    expect(sandboxCommand({ administrator: true }, options)).not.toContain('--user');
    expect(sandboxCommand({ administrator: false }, options).slice(1, 3)).toEqual(['--user', '--map-root-user']);
  });

  it('dies as a whole, and hands every word on as it is', () => {
    const words = sandboxCommand({ administrator: true }, options);
    expect(words).toEqual(expect.arrayContaining(['--pid', '--fork', '--kill-child']));
    expect(words.slice(-3)).toEqual(['node', 'entry.ts', 'two words']);
  });
});

describe('privileges', () => {
  it.each([
    ['000001ffffffffff', true],
    ['0000000000201000', true],
    ['0000000000001000', false],
    ['0000000000200000', false],
    ['0000000000000000', false],
  ])('with effective capabilities %s: administrator %s', (bits, administrator) => {
    expect(readPrivileges(`Name:\tnode\nCapPrm:\t000001ffffffffff\nCapEff:\t${bits}\n`)).toEqual({ administrator });
  });
});

describe('the identity of processes', () => {
  it('this process has a start time, and is the first child of its parent or has an elder sibling', () => {
    expect(processStartTime(process.pid)).toMatch(/^\d+$/);
    const first = firstChild(process.ppid);
    expect(first).toBeDefined();
    expect(first).toBeLessThanOrEqual(process.pid);
  });

  it('a process that does not exist has none', () => {
    expect(processStartTime(2 ** 30)).toBeUndefined();
    expect(firstChild(2 ** 30)).toBeUndefined();
  });
});
