// What doctor.ts runs in a scratch sandbox: asks the kernel and writes the findings as JSON into the file named.
import { writeFileSync } from 'node:fs';
import { prepareSandbox } from '../sandbox.ts';
import { runProbes } from './finding.ts';
import { kernelProbes } from './kernel-probes.ts';

prepareSandbox();
writeFileSync(process.argv[2]!, JSON.stringify(await runProbes(kernelProbes)));
