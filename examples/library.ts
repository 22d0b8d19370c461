// A whole cluster in a test: real pods, real rules, real packets, gone when the block ends.
// Run it with: npx node examples/library.ts (in your own project the import is 'towtank').
import assert from 'node:assert/strict';
import { createCluster } from '../src/index.ts';

await using cluster = await createCluster({ nodes: 2, proxyMode: 'nftables', balancing: 'round-robin' });
await cluster.apply(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: agnhost, args: [netexec, --http-port=8080]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec: {containers: [{name: shell, image: busybox}]}
`);
await cluster.wait({ resource: 'deployments', name: 'web', for: 'Available' });
await cluster.wait({ resource: 'pods', name: 'client', for: 'Ready' });

// A real program in the pod's network, with its resolv.conf.
const { stdout } = await cluster.pod('client').exec(['curl', '-sS', 'http://web/hostname']);
assert.match(stdout, /^web-/);

// A request from outside the cluster, through the NodePort of the first node.
const response = await cluster.outside.fetch('http://172.18.0.2:30080/hostname');
assert.equal(response.status, 200);
process.stdout.write(`by name: ${stdout}, from outside: ${response.body}\n`);
