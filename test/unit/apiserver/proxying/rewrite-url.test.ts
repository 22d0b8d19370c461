import { describe, expect, test } from 'vitest';
import { rewriteUrl } from '../../../../src/apiserver/proxying/rewrite-url.ts';

const facts = {
  prefix: '/api/v1/namespaces/x/services/web/proxy',
  targetHost: '10.244.1.2:80',
  clientHost: 'localhost:8001',
};

describe('a URL of a proxied answer', () => {
  test.each([
    ['/login?next=/a', '/api/v1/namespaces/x/services/web/proxy/login?next=/a'],
    ['/', '/api/v1/namespaces/x/services/web/proxy/'],
    ['http://10.244.1.2:80/a/#b', '/api/v1/namespaces/x/services/web/proxy/a/#b'],
    ['//10.244.1.2:80', '/api/v1/namespaces/x/services/web/proxy/'],
    ['http://localhost:8001/a', 'http://localhost:8001/api/v1/namespaces/x/services/web/proxy/a'],
  ])('that leads to the target leads through the proxy: %s', (url, expected) => {
    expect(rewriteUrl(url, facts)).toBe(expected);
  });

  test.each(['https://example.com/a', 'relative/path', '#here', '?only=query', 'mailto:a@example.com', ''])(
    'that leads elsewhere stays: %s',
    (url) => {
      expect(rewriteUrl(url, facts)).toBe(url);
    },
  );

  test('that is rewritten already is not again', () => {
    const url = `${facts.prefix}/a`;
    expect(rewriteUrl(url, facts)).toBe(url);
  });
});
