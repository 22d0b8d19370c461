// The doors between the rooms of src (see CONTRIBUTING.md): who may import whom. Whatever is not listed is shut.
const doors = {
  errors: [],
  kube: [],
  ipam: [],
  netfilter: [],
  store: ['kube'],
  scheduler: ['kube'],
  controllers: ['kube', 'store', 'ipam'],
  proxy: ['kube', 'netfilter', 'ipam'],
  dns: ['kube'],
  mesh: ['kube'],
  apiserver: ['kube', 'store', 'ipam'],
  kernel: ['netfilter'],
  kubelet: ['kube', 'kernel'],
  trace: ['kube', 'netfilter', 'proxy', 'kernel'],
  agents: ['kube', 'dns', 'mesh', 'proxy'],
};
const rooms = Object.keys(doors);
const only = (names) => `^src/(${names.join('|')})/`;

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...rooms.map((room) => ({
      name: `door-${room}`,
      comment: `${room} may import: errors ${doors[room].join(' ')}`,
      severity: 'error',
      from: { path: `^src/${room}/` },
      to: { path: '^src/', pathNot: only([room, ...(room === 'errors' ? [] : ['errors']), ...doors[room]]) },
    })),
    { name: 'door-cluster', severity: 'error', from: { path: '^src/cluster/' }, to: { path: '^src/(cli|ui|index)' } },
    {
      name: 'door-ui',
      severity: 'error',
      from: { path: '^src/ui/' },
      to: { path: '^src/', pathNot: only(['ui', 'errors', 'kube', 'cluster']) },
    },
    {
      name: 'door-cli',
      comment: 'cli speaks to cluster, trace and ui; the offline commands reach the pure rooms through them',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: { path: '^src/', pathNot: only(['cli', 'errors', 'kube', 'cluster', 'trace', 'ui']) },
    },
    {
      name: 'http-without-its-exports',
      comment:
        'an import of values asks node:http for all of its exports, a whole fetch among them: 13 MB; write process.getBuiltinModule',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '(^node:|^)http$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'programs-only-in-kernel',
      comment: 'only src/kernel starts programs',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/kernel/' },
      to: { path: '(^node:|^)child_process$|node_modules/execa/' },
    },
    {
      name: 'ffi-only-in-kernel-and-engines',
      comment: 'koffi is kept behind src/kernel/ffi and the userspace proxy engine',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(kernel|proxy/userspace/engine)/' },
      to: { path: 'node_modules/koffi/' },
    },
    {
      name: 'no-cycle',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'src-not-to-dev',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], path: 'node_modules', dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
