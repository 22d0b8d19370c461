import { expect, it } from 'vitest';
import { KernelCommandError } from '../../../../src/errors/kernel-command-error.ts';
import type { IptablesRunner } from '../../../../src/netfilter/runner.ts';
import { ReplyPath, type ReplyPathOptions } from '../../../../src/proxy/userspace/reply-path.ts';

// A back end of iptables that has so many of the rules that mark replies, and says what was asked of it.
function backEnd(rules: number): IptablesRunner & { readonly asked: string[] } {
  const asked: string[] = [];
  let left = rules;
  return {
    asked,
    restore: () => Promise.reject(new Error('not asked for')),
    save: () => Promise.reject(new Error('not asked for')),
    run: async (_family, [, , command = '']) => {
      asked.push(command);
      if (command === '-A') left++;
      if (command === '-D') left--;
      return { exitCode: command === '-C' && left === 0 ? 1 : 0, stdout: '', stderr: '' };
    },
  };
}

function lab(options: Partial<ReplyPathOptions>): { readonly path: ReplyPath; readonly routing: string[] } {
  const routing: string[] = [];
  const sockets = {
    deliverMarked: () => void routing.push('deliver'),
    forwardMarked: () => void routing.push('forward'),
  };
  return { routing, path: new ReplyPath({ family: 'ipv4', rules: 'iptables', iptables: [], sockets, ...options }) };
}

it('rules of each back end are removed, and the routing once', async () => {
  const iptables = [backEnd(1), backEnd(2), backEnd(0)];
  const { path, routing } = lab({ iptables });
  await path.close();
  expect(iptables.map(({ asked }) => asked.join(' '))).toEqual(['-C -D -C', '-C -D -C -D -C', '-C']);
  expect(routing).toEqual(['forward']);
});

it('a rule is written once, with the first back end', async () => {
  const iptables = [backEnd(0), backEnd(0)];
  const { path, routing } = lab({ iptables });
  await path.open();
  await path.open();
  expect(iptables.map(({ asked }) => asked.join(' '))).toEqual(['-C -A -C', '']);
  expect(routing).toEqual(['deliver', 'deliver']);
});

it('what iptables cannot do is told', async () => {
  const refusing: IptablesRunner = {
    ...backEnd(0),
    run: async (_family, args) => {
      if (args.includes('-C')) return { exitCode: 1, stdout: '', stderr: '' };
      throw new KernelCommandError({ command: args.join(' '), netns: undefined, exitCode: 2, stderr: 'no xt_socket' });
    },
  };
  await expect(lab({ iptables: [refusing] }).path.open()).rejects.toThrow('no xt_socket');
});
