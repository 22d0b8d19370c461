import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Container, ContainerLab, reasonAgainstContainers } from '../helpers/container-lab.ts';

// The image of the Dockerfile, without a registry, with exactly the capabilities and the seccomp rules that Docker gives.
let reason = reasonAgainstContainers();
let lab: ContainerLab;

beforeAll(async () => {
  if (reason !== undefined) return;
  const made = await ContainerLab.create();
  if (typeof made === 'string') reason = made;
  else lab = made;
}, 900_000);

afterAll(async () => {
  await (lab as ContainerLab | undefined)?.[Symbol.asyncDispose]();
});

const claim = (title: string, body: () => void | Promise<void>): void => {
  test(title, async (context) => {
    if (reason !== undefined) context.skip(reason);
    await body();
  });
};

const UP = 'is up: 3 nodes';
const WEB = `
kubectl create deployment web --image=registry.k8s.io/e2e-test-images/agnhost:2.53 --replicas=3 -- /agnhost netexec --http-port=80
kubectl expose deployment web --port=80 --type=LoadBalancer
kubectl run caller --image=busybox
kubectl rollout status deployment web --timeout=60s
kubectl wait pod caller --for=condition=Ready --timeout=60s
towtank exec client -- true`;

const tiers = [
  { tier: 'full', capAdd: ['NET_ADMIN', 'SYS_ADMIN'], paths: 7 },
  { tier: 'flat', capAdd: ['NET_ADMIN'], paths: 6 },
  { tier: 'loopback', capAdd: [], paths: 6 },
] as const;

describe.each(tiers)('with $capAdd: the $tier tier', ({ tier, capAdd, paths }) => {
  let container: Container;

  claim('doctor names the tier and what a missing privilege costs', () => {
    const { exitCode, stdout } = lab.run(['doctor'], { capAdd });
    expect(exitCode, stdout).toBe(0);
    expect(stdout).toMatch(new RegExp(`✓ tier ${tier} `));
    expect(stdout).toContain('clusters can run here');
    if (tier !== 'full')
      expect(stdout).toMatch(
        /– tier full .*\n\s+costs: .*IPv6.*\n\s+needs: docker run --cap-add NET_ADMIN --cap-add SYS_ADMIN/,
      );
    if (tier === 'loopback')
      expect(stdout).toMatch(
        /– tier flat +lacks CAP_NET_ADMIN\n\s+costs: .*iptables.*\n\s+needs: docker run --cap-add NET_ADMIN/,
      );
  });

  claim('the demo walks every path', () => {
    const { exitCode, stdout, stderr } = lab.run(['demo'], { capAdd });
    expect(exitCode, stdout + stderr).toBe(0);
    // Two steps, the paths, and that it was taken down.
    expect(stdout.match(/✓/g)).toHaveLength(paths + 3);
  });

  claim('a start says what runs, the tier, and what to type next', async () => {
    container = lab.start(`${tier}-1`, { capAdd });
    const logs = await container.saying('opens a shell');
    expect(logs).toMatch(new RegExp(`^towtank \\S+, tier ${tier}: `));
    expect(logs).toContain(UP);
    expect(logs.match(/docker exec \S+ (kubectl|curl)/g)).toHaveLength(3);
    container.script(WEB);
  });

  claim('the shell of the container calls the Service by name, and by every address that it has', () => {
    const answers = container.script(`
      service=$(kubectl get service web -o jsonpath='{.spec.clusterIP} {.spec.ports[0].nodePort} {.status.loadBalancer.ingress[0].ip}')
      set -- $service
      pod=$(kubectl get pods -l app=web -o jsonpath='{.items[0].status.podIP}')
      node=$(kubectl get node node-3 -o jsonpath='{.status.addresses[0].address}')
      for place in web web.default.svc.cluster.local $1 $node:$2 $3 $pod; do
        curl -sS --max-time 10 http://$place/hostname; echo
      done`);
    expect(answers.trim().split('\n')).toEqual(Array.from({ length: 6 }, () => expect.stringMatching(/^web-/)));
  });

  claim('dig asks cluster DNS', () => {
    const clusterIP = container.script("kubectl get service web -o jsonpath='{.spec.clusterIP}'");
    expect(container.script('dig +short web.default.svc.cluster.local').trim()).toBe(clusterIP);
  });

  claim('kubectl has its kubeconfig in place', () => {
    expect(container.script('kubectl get nodes').match(/ Ready /g)).toHaveLength(3);
    expect(container.script('kubectl exec caller -- printenv HOSTNAME').trim()).toBe('caller');
  });

  claim('a pod sees the address of the pod that calls it', () => {
    const seen = container.script(`
      pod=$(kubectl get pods -l app=web -o jsonpath='{.items[0].status.podIP}')
      towtank exec caller -- curl -sS --max-time 10 http://$pod/clientip`);
    expect(seen.split(':')[0]).toBe(container.script("kubectl get pod caller -o jsonpath='{.status.podIP}'"));
  });

  const reached = tier === 'loopback' ? 'also by the address of a Service' : 'by load balancer only';
  claim(`a pod calls the Service by name, the client outside ${reached}`, () => {
    expect(container.script('towtank exec caller -- curl -sS --max-time 10 http://web/hostname')).toMatch(/^web-/);
    const balancer = container.script("kubectl get service web -o jsonpath='{.status.loadBalancer.ingress[0].ip}'");
    expect(container.script(`towtank exec client -- curl -sS --max-time 10 http://${balancer}/hostname`)).toMatch(
      /^web-/,
    );
    const clusterIP = container.script("kubectl get service web -o jsonpath='{.spec.clusterIP}'");
    expect(
      container.exec('towtank', 'exec', 'client', '--', 'curl', '-sS', '--max-time', '10', `http://${clusterIP}/`)
        .exitCode,
    ).toBe(tier === 'loopback' ? 0 : 7);
  });

  claim('published ports reach the API, a node port and a load balancer from outside', () => {
    const curl = (url: string) =>
      lab.outside([
        'curl',
        '-ksS',
        '--max-time',
        '10',
        '--retry',
        '20',
        '--retry-connrefused',
        '--retry-delay',
        '0',
        url,
      ]);
    const nodePort = container.script("kubectl get service web -o jsonpath='{.spec.ports[0].nodePort}'");
    expect(curl(`https://${container.address}:6443/readyz`)).toMatchObject({ exitCode: 0, stdout: 'ok' });
    expect(curl(`http://${container.address}:${nodePort}/hostname`).stdout).toMatch(/^web-/);
    expect(curl(`http://${container.address}/hostname`).stdout).toMatch(/^web-/);
  });

  claim('a second container beside it has a cluster of its own', async () => {
    const second = lab.start(`${tier}-2`, { capAdd });
    await second.saying(UP);
    expect(second.script('kubectl get services -o name')).not.toContain('web');
    expect(container.script('curl -sS --max-time 10 http://web/hostname')).toMatch(/^web-/);
    second.stop();
    expect(second.exitCode()).toBe(0);
  });

  claim('pid 1 buries orphans', () => {
    container.script('for i in 1 2 3 4 5; do (sh -c "true & exec true" &) ; done');
    const untilNone = 'for i in $(seq 500); do ps -eo stat= | grep -q Z || exit 0; sleep 0.02; done; ps -ef; exit 1';
    expect(container.exec('sh', '-c', untilNone)).toMatchObject({ exitCode: 0 });
  });

  claim('its health check passes', () => {
    expect(container.exec('curl', '-skf', '-o', '/dev/null', 'https://127.0.0.1:6443/readyz').exitCode).toBe(0);
  });

  claim('it starts again where it was killed, and nothing of before is left', async () => {
    lab.podman(['kill', '--signal', 'KILL', container.name]);
    expect(container.exitCode()).toBe(137);
    lab.podman(['start', container.name]);
    await container.saying(UP, 2);
    expect(container.script('kubectl get services -o name')).not.toContain('web');
    container.script(WEB);
    expect(container.script('curl -sS --max-time 10 http://web/hostname')).toMatch(/^web-/);
  });

  claim('a supervisor that dies ends the container, with status 1', async () => {
    container.script("kill -KILL $(pgrep -f '^/usr/local/bin/node .*supervisor.js')");
    expect(container.exitCode()).toBe(1);
    expect(container.logs()).toContain('the cluster has ended, which nobody asked for');
    lab.podman(['start', container.name]);
    await container.saying(UP, 3);
  });

  claim('SIGTERM ends it cleanly', () => {
    container.stop();
    expect(container.exitCode()).toBe(0);
  });

  claim('a start that is told to stop stops', async () => {
    const early = lab.start(`${tier}-early`, { capAdd });
    await early.saying('tier');
    early.stop();
    expect(early.exitCode()).toBe(0);
  });
});

describe('what the flat tier cannot do is refused with the reason', () => {
  const capAdd = ['NET_ADMIN'];
  let container: Container;

  claim('a cluster of nftables proxies runs in it', async () => {
    container = lab.start('flat-nft', {
      capAdd,
      command: ['up', '--foreground', '--join-host', '--proxy-mode', 'nftables'],
    });
    await container.saying(UP);
    container.script(WEB);
    expect(container.script('curl -sS --max-time 10 http://web/hostname')).toMatch(/^web-/);
    expect(container.script('nft list tables')).toContain('kube-proxy');
  });

  claim('Local traffic policies', () => {
    const { exitCode, stderr } = container.exec(
      'kubectl',
      'patch',
      'service',
      'web',
      '-p',
      '{"spec":{"externalTrafficPolicy":"Local"}}',
    );
    expect(exitCode).toBe(1);
    expect(stderr).toContain('spec.externalTrafficPolicy: Forbidden: Local needs a kube-proxy for each node');
  });

  claim('a second cluster', () => {
    const { exitCode, stderr } = container.exec('towtank', 'up', '--name', 'second');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('another cluster uses this network namespace already');
    expect(container.script('curl -sS --max-time 10 http://web/hostname')).toMatch(/^web-/);
  });

  claim('IPv6', () => {
    const cluster = 'spec: {network: {ipFamilies: [IPv6]}}';
    const { exitCode, stderr } = container.exec('sh', '-c', `echo '${cluster}' | towtank up -f - --name second`);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('the flat tier cannot have IPv6');
  });

  claim('volumes of programs, whose pod says so', () => {
    container.script(`kubectl apply -f - <<'END'
apiVersion: v1
kind: Pod
metadata: {name: reader}
spec:
  containers:
  - {name: shell, image: busybox, command: [sleep, '1000'], volumeMounts: [{name: data, mountPath: /data}]}
  volumes: [{name: data, emptyDir: {}}]
END`);
    const why = "kubectl get events --field-selector involvedObject.name=reader -o jsonpath='{.items[*].message}'";
    const untilSaid = `for i in $(seq 300); do ${why} | grep -q 'volume "data" cannot be mounted' && exit 0; sleep 0.1; done; ${why}; exit 1`;
    expect(container.exec('sh', '-c', untilSaid)).toMatchObject({ exitCode: 0 });
  });

  claim('a program that a container leaves behind ends with its pod', () => {
    container.script(`
      kubectl run busy --image=busybox --command -- sh -c 'sleep 4321 & wait'
      kubectl wait pod busy --for=condition=Ready --timeout=60s
      kubectl delete pod busy --wait`);
    expect(container.exec('pgrep', '-f', 'sleep 4321').exitCode).toBe(1);
  });

  claim('down leaves no link, address, route or resolver', () => {
    // The container ends with its cluster, and this shell with the container.
    expect(container.exec('towtank', 'down').stdout).toContain('is down');
    expect(container.exitCode()).toBe(1);
    const left = lab.outside([
      'sh',
      '-c',
      'ip -n flat-nft -o link; ip -n flat-nft -o -4 address; ip -n flat-nft rule',
    ]).stdout;
    expect(left).not.toMatch(/towtank0|172\.18\.|uidrange|lookup 50/);
    expect(left).toContain('0:\tfrom all lookup local');
  });
});

describe('a flat cluster of the userspace proxy', () => {
  claim('answers by name', async () => {
    const command = ['up', '--foreground', '--join-host', '--proxy-mode', 'userspace'];
    const container = lab.start('flat-userspace', { capAdd: ['NET_ADMIN'], command });
    await container.saying(UP);
    container.script(WEB);
    expect(container.script('curl -sS --max-time 10 http://web/hostname')).toMatch(/^web-/);
    container.stop();
  });
});

describe('without any capability', () => {
  const service = "$(kubectl get service web -o jsonpath='{.spec.clusterIP}')";

  claim('root has names, as the resolver file is its own', async () => {
    const container = lab.start('bare-root', { capDropAll: true });
    expect(await container.saying(UP)).toContain('tier loopback');
    container.script(WEB);
    expect(container.script('curl -sS --max-time 10 http://web/hostname')).toMatch(/^web-/);
    container.stop();
    expect(container.exitCode()).toBe(0);
  });

  claim('an ordinary user has addresses, and is told why programs do not find names', async () => {
    const container = lab.start('bare-user', { capDropAll: true, options: ['--user', '1000:1000'] });
    const logs = await container.saying('opens a shell');
    expect(logs).toContain(
      'programs do not find names of the cluster: /etc/resolv.conf may not be written by this user',
    );
    expect(logs.match(/docker exec \S+ kubectl/g)).toHaveLength(3);
    container.script(WEB);
    expect(container.script(`curl -sS --max-time 10 http://${service}/hostname`)).toMatch(/^web-/);
    const raw = '/api/v1/namespaces/default/services/web/proxy/hostname';
    expect(container.script(`kubectl get --raw ${raw}`)).toMatch(/^web-/);
    expect(container.script(`dig +short @127.96.0.10 web.default.svc.cluster.local`)).toContain('127.96.');
    const outside = lab.outside(['curl', '-sS', '--max-time', '10', `http://${container.address}/hostname`]);
    expect(outside.stdout).toMatch(/^web-/);
    container.stop();
    expect(container.exitCode()).toBe(0);
  });

  claim('an engine that keeps low ports has Services ten thousand higher, and says so', async () => {
    const options = ['--user', '1000:1000'];
    const container = lab.start('bare-high', { capDropAll: true, lowPorts: false, options });
    expect(await container.saying(UP)).toContain('ports below 1024 may not be opened and stand 10000 higher');
    container.script(WEB);
    expect(container.script(`curl -sS --max-time 10 http://${service}:10080/hostname`)).toMatch(/^web-/);
    expect(container.script('towtank dns query web --from caller')).toContain('127.96.');
    const outside = lab.outside(['curl', '-sS', '--max-time', '10', `http://${container.address}:10080/hostname`]);
    expect(outside.stdout).toMatch(/^web-/);
    container.stop();
  });

  claim('IPv6 and rules are refused with the reason', () => {
    const nftables = lab.run(['up', '--proxy-mode', 'nftables'], { capDropAll: true });
    expect(nftables.exitCode).toBe(2);
    expect(nftables.stderr).toContain('the loopback tier cannot have proxy mode nftables');
    const flat = lab.run(['up', '--tier', 'flat'], { capDropAll: true });
    expect(flat.exitCode).toBe(2);
    expect(flat.stderr).toContain('the flat tier cannot be had here: lacks CAP_NET_ADMIN');
  });

  claim('the offline commands work, also for an ordinary user', () => {
    const examples = new URL('../../examples', import.meta.url).pathname;
    const options = ['--user', '1000:1000', '-v', `${examples}:/data:ro`];
    const { exitCode, stdout } = lab.run(['rules', '-f', '/data/objects.yaml', '--node-name', 'node-1'], {
      options,
    });
    expect(exitCode).toBe(0);
    expect(stdout).toContain('KUBE-SERVICES');
  });
});

describe('the image', () => {
  claim('is smaller than 260 MB', () => {
    const size = Number(lab.podman(['image', 'inspect', 'towtank', '--format', '{{.Size}}']));
    expect(size).toBeLessThan(260e6);
  });

  claim('runs the scripts for learners', () => {
    const capAdd = ['NET_ADMIN', 'SYS_ADMIN'];
    const options = ['--entrypoint', 'sh'];
    const { exitCode, stdout, stderr } = lab.run(['netns-scripts/06-nodeport.sh'], { capAdd, options });
    expect(exitCode, stdout + stderr).toBe(0);
  });
});
