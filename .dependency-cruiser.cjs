/**
 * The import rules of the house, checked by `npm run imports` and by the tests.
 *
 * Who may import whom: protocol, wire and loader nothing of ours; hw wire; kernel protocol, hw and loader;
 * services/NAME protocol and services/lib, never the kernel, the hardware or one another. Type-only imports count like
 * any other.
 *
 * @type {import('dependency-cruiser').IConfiguration}
 */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'A cycle means two files share one job: move what both need into a third.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-unresolvable',
      comment: 'Every import has to lead to a file, an installed package or a Node built-in.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'protocol-imports-nothing',
      comment:
        'The contract stands alone, so that a driver in any language can be written from it: msgpack and bytes are all it needs.',
      severity: 'error',
      from: { path: '^protocol/' },
      to: { pathNot: ['^protocol/', 'node_modules/msgpackr/', '^(node:)?buffer$'] },
    },
    {
      name: 'hw-imports-nothing-of-ours',
      comment: 'The machine knows nothing of the system running on it.',
      severity: 'error',
      from: { path: '^hw/' },
      to: { path: '^(protocol|loader|kernel|services|filesystems|host|test|bench|examples)/' },
    },
    {
      name: 'wire-imports-nothing',
      comment:
        'Formats of packets, for the host network of the machine, for the network stack and for whoever shows packets.',
      severity: 'error',
      from: { path: '^wire/' },
      to: { pathNot: ['^wire/', '^(node:)?buffer$'] },
    },
    {
      name: 'loader-imports-nothing-of-ours',
      comment: 'It is what everything else is loaded with.',
      severity: 'error',
      from: { path: '^loader/' },
      to: { path: '^(protocol|hw|wire|kernel|services|filesystems|host|test|bench|examples)/' },
    },
    {
      name: 'filesystems-import-the-errors-only',
      comment: 'A format works on any block device, in a service, in a tool of the host, or in a test.',
      severity: 'error',
      from: { path: '^filesystems/' },
      to: { pathNot: ['^filesystems/', '^protocol/errno\\.ts$', '^(node:)?buffer$'] },
    },
    {
      name: 'kernel-imports-protocol-and-hw',
      comment: 'The kernel never depends on a service: it would no longer be a microkernel.',
      severity: 'error',
      from: { path: '^kernel/' },
      to: { path: '^(services|filesystems|wire|host|test|bench|examples)/' },
    },
    {
      name: 'services-import-protocol-and-lib',
      comment: 'A service knows the contract and the service library. Everything else is behind its pipe.',
      severity: 'error',
      from: { path: '^(services|examples|test/services|bench/services)/' },
      to: { path: '^(kernel|hw|host|bench/(?!services/)|test/(?!services/))' },
    },
    {
      name: 'programs-are-loaded-by-the-library',
      comment: 'How a program is loaded is known to the kernel, which starts the engine, and to the start of a task.',
      severity: 'error',
      from: { path: '^(services|examples|filesystems|host|test/services|bench)/', pathNot: '^services/lib/' },
      to: { path: '^loader/' },
    },
    {
      name: 'services-never-import-one-another',
      comment: 'Services talk through messages. What two of them share belongs into services/lib or protocol.',
      severity: 'error',
      from: { path: '^(services|examples|test/services|bench/services)/([^/]+)/' },
      to: { path: '^(services|examples|test/services|bench/services)/', pathNot: ['^services/lib/', '^$1/$2/'] },
    },
    {
      name: 'services-use-the-library-by-its-front-door',
      comment:
        'The service library is loaded once, before the service; the bundle of a service refers to its index only. What file systems and their servers share beyond it is in services/lib/filesystem.',
      severity: 'error',
      from: { path: '^(services|examples|test/services|bench/services)/', pathNot: '^services/lib/' },
      to: { path: '^services/lib/', pathNot: '^services/lib/(filesystem/)?index\\.ts$' },
    },
    {
      name: 'services-do-no-io',
      comment:
        'A service has one input and output, its pipe: no file, socket, timer or process of the host. Only services/lib knows Node.',
      severity: 'error',
      from: { path: '^(services|examples)/', pathNot: '^services/lib/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'services-use-no-packages',
      comment: 'What a service needs from outside comes through the service library.',
      severity: 'error',
      from: { path: '^(services|examples|test/services|bench/services)/', pathNot: '^services/lib/' },
      to: { dependencyTypes: ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'run-time-packages-only',
      comment: 'Code that ships uses only what an installation without the development packages has.',
      severity: 'error',
      from: { path: '^(protocol|hw|wire|loader|kernel|services|filesystems|host|examples)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-optional', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no-shipping-code-imports-tests',
      comment:
        'Tests depend on the system, never the other way round. The bench, which does not ship, uses their help.',
      severity: 'error',
      from: { pathNot: '^(test/|bench/|vitest\\.config\\.ts$)' },
      to: { path: '^test/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage|node_modules/\\.)' },
    parser: 'swc',
    detectJSDocImports: false,
    enhancedResolveOptions: {
      extensions: ['.ts', '.mjs', '.cjs', '.js', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
