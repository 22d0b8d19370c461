import { describe, expect, it } from 'vitest';
import { parseClusterConfig } from '../../../../src/cluster/config/parse-cluster-config.ts';

const parse = (store: string, flag?: 'memory' | 'sqlite' | 'etcd') =>
  parseClusterConfig(`spec: {store: ${store}}`, 'cluster.yaml', { store: flag }).store;

describe('spec.store', () => {
  it('says nothing by default: where a cluster keeps its objects depends on how it is started', () => {
    expect(parseClusterConfig('', 'cluster.yaml').store).toBeUndefined();
    expect(parse('{}')).toBeUndefined();
  });

  it('names an engine, and a flag wins', () => {
    expect(parse('{engine: memory}')).toEqual({ engine: 'memory' });
    expect(parse('{engine: memory}', 'sqlite')).toEqual({ engine: 'sqlite' });
    expect(parse('{engine: etcd, endpoints: ["http://a:2379"]}', 'memory')).toEqual({ engine: 'memory' });
  });

  it('describes an etcd', () => {
    const text =
      '{engine: etcd, endpoints: ["https://a:2379", "http://[::1]:2379"], prefix: /lab/one, caFile: /ca, certFile: /c, keyFile: /k, username: u, passwordFile: /p}';
    expect(parse(text)).toEqual({
      engine: 'etcd',
      endpoints: ['https://a:2379', 'http://[::1]:2379'],
      prefix: '/lab/one',
      caFile: '/ca',
      certFile: '/c',
      keyFile: '/k',
      username: 'u',
      passwordFile: '/p',
    });
  });

  it.each([
    ['{engine: postgres}', 'spec.store.engine: must be one of memory, sqlite, etcd'],
    ['{engine: etcd}', 'spec.store.endpoints: must list the URLs of etcd'],
    ['{engine: etcd, endpoints: []}', 'spec.store.endpoints: must list at least one URL'],
    ['{engine: etcd, endpoints: http://a:2379}', 'spec.store.endpoints: must be a list'],
    ['{engine: etcd, endpoints: ["a:2379"]}', 'spec.store.endpoints[0]: must be http://HOST:PORT'],
    ['{engine: etcd, endpoints: ["http://a:2379/x"]}', 'spec.store.endpoints[0]: must be http://HOST:PORT'],
    ['{engine: etcd, endpoints: ["http://a:1"], prefix: lab}', 'spec.store.prefix: must be a path such as /towtank'],
    ['{engine: etcd, endpoints: ["http://a:1"], prefix: /lab/}', 'spec.store.prefix: must be a path such as /towtank'],
    ['{engine: etcd, endpoints: ["http://a:1"], caFile: ca.crt}', 'spec.store.caFile: must be an absolute path'],
    ['{engine: etcd, endpoints: ["http://a:1"], certFile: /c}', 'spec.store.keyFile: certFile and keyFile go together'],
    [
      '{engine: etcd, endpoints: ["http://a:1"], passwordFile: /p}',
      'spec.store.username: username and passwordFile go',
    ],
    ['{engine: sqlite, endpoints: ["http://a:1"]}', 'spec.store.endpoints: belongs to engine etcd'],
    ['{prefix: /lab}', 'spec.store.prefix: belongs to engine etcd'],
    ['{engin: etcd}', 'spec.store.engin: unknown field'],
  ])('refuses %s and names the field', (text, message) => {
    expect(() => parse(text)).toThrow(`cluster.yaml: ${message}`);
  });
});
