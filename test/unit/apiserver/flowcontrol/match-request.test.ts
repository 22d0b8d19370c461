import { describe, expect, test } from 'vitest';
import { matchesRequest, rulesFor } from '../../../../src/apiserver/flowcontrol/match-request.ts';
import { parseRequestInfo } from '../../../../src/apiserver/http/request-info.ts';
import type { FlowcontrolSubject, PolicyRulesWithSubjects } from '../../../../src/kube/generated/types.ts';

const everybody: FlowcontrolSubject = { kind: 'Group', group: { name: '*' } };
const bob = { name: 'system:serviceaccount:team:bob', groups: ['system:serviceaccounts:team'] };

function matches(rules: Partial<PolicyRulesWithSubjects>, url: string, method = 'GET'): boolean {
  const [path = '', search = ''] = url.split('?');
  const spec = { priorityLevelConfiguration: { name: 'x' }, rules: [{ subjects: [everybody], ...rules }] };
  return matchesRequest(rulesFor({ spec }, bob), parseRequestInfo(method, path, new URLSearchParams(search)));
}

describe('a subject', () => {
  const account = (name: string, namespace = 'team'): FlowcontrolSubject => ({
    kind: 'ServiceAccount',
    serviceAccount: { name, namespace },
  });
  const user = (name: string): FlowcontrolSubject => ({ kind: 'User', user: { name } });
  const group = (name: string): FlowcontrolSubject => ({ kind: 'Group', group: { name } });

  test.each([
    [account('bob'), true],
    [account('*'), true],
    [account('bo'), false],
    [account('*', 'tea'), false],
    [user(bob.name), true],
    [user('*'), true],
    [user('bob'), false],
    [group('system:serviceaccounts:team'), true],
    [group('*'), true],
    [group('system:masters'), false],
    [{ kind: 'User', group: { name: '*' } }, false],
    [{ kind: 'Robot' }, false],
  ] as const)('%j is the caller: %s', (subject, expected) => {
    const nonResourceRules = [{ verbs: ['*'], nonResourceURLs: ['*'] }];
    expect(matches({ subjects: [subject], nonResourceRules }, '/version')).toBe(expected);
  });
});

describe('a rule about resources', () => {
  const rule = { verbs: ['get', 'list'], apiGroups: ['apps'], resources: ['deployments'], namespaces: ['a'] };
  const start = '/apis/apps/v1/namespaces/a/deployments';
  test.each([
    [start, 'GET', true],
    [`${start}/x`, 'GET', true],
    [`${start}/x`, 'HEAD', true],
    [`${start}?watch=1`, 'GET', false],
    [`${start}/x`, 'PUT', false],
    [`${start}/x/scale`, 'GET', false],
    [start.replace('/a/', '/b/'), 'GET', false],
    ['/apis/apps/v1/deployments', 'GET', false],
    ['/apis/other/v1/namespaces/a/deployments', 'GET', false],
    ['/deployments', 'GET', false],
  ])('%s by %s: %s', (url, method, expected) => {
    expect(matches({ resourceRules: [rule] }, url, method)).toBe(expected);
  });

  test('without namespaces is about the cluster only, and a namespace is in itself', () => {
    const cluster = { verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true };
    expect(matches({ resourceRules: [cluster] }, '/api/v1/nodes/x')).toBe(true);
    expect(matches({ resourceRules: [cluster] }, '/api/v1/namespaces/a')).toBe(false);
    expect(matches({ resourceRules: [{ ...cluster, namespaces: ['a'] }] }, '/api/v1/namespaces/a')).toBe(true);
  });
});

test.each([
  [['/healthz'], '/healthz', 'GET', true],
  [['/healthz'], '/healthz/ping', 'GET', true],
  [['/healthz'], '/healthzz', 'GET', false],
  [['/openapi/*'], '/openapi/v3/apis', 'GET', true],
  [['/openapi/*'], '/openapi', 'GET', false],
  [['*'], '/anything', 'GET', true],
  [['*'], '/anything', 'POST', false],
])('%j is about %s by %s: %s', (nonResourceURLs, url, method, expected) => {
  expect(matches({ nonResourceRules: [{ verbs: ['get', 'create'], nonResourceURLs }] }, url, method)).toBe(expected);
});
