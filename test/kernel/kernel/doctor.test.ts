import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { examineMachine, type Finding } from '../../../src/kernel/doctor.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';

leaveNothing();

describe('an examination of this machine', () => {
  it('finds what every kernel test needs, and says of everything missing what it costs and what brings it', async () => {
    const findings = await examineMachine();
    const broken = findings.filter(({ ok, required }) => required && !ok);
    expect(broken).toEqual([]);
    expect(findings.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['koffi', 'sandbox', 'veth', 'iptables-nft statistic', 'nft numgen', 'SCTP', 'overlay']),
    );
    for (const { ok, costs, remedy, detail } of findings) {
      expect(costs).not.toBe('');
      expect(detail).not.toBe('');
      if (!ok) expect(remedy).not.toBe('');
    }
    expect(new Set(findings.map(({ name }) => name)).size).toBe(findings.length);
    expect(readdirSync(tmpdir()).filter((entry) => entry.startsWith('towtank-doctor-'))).toEqual([]);
  });

  it('without user namespaces says so and what to do, and that the loopback tier is left', () => {
    const code = `import { examineMachine } from ${JSON.stringify(new URL('../../../src/kernel/doctor.ts', import.meta.url).href)};
      console.log(JSON.stringify(await examineMachine()));`;
    const script =
      'ip link set lo up && echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all "$@"';
    const words = [
      '--user',
      '--map-root-user',
      '--net',
      'sh',
      '-c',
      script,
      'sh',
      process.execPath,
      '--input-type=module',
      '-e',
      code,
    ];
    const { stdout, stderr } = spawnSync('unshare', words, { encoding: 'utf8' });
    expect(stderr).toBe('');
    const findings = JSON.parse(stdout) as Finding[];
    expect(findings.find(({ name }) => name === 'sandbox')).toMatchObject({
      ok: false,
      required: false,
      remedy: expect.stringContaining('user.max_user_namespaces'),
    });
    expect(findings.find(({ name }) => name === 'user namespaces')).toMatchObject({ ok: false, required: false });
    expect(findings.find(({ name }) => name === 'tier loopback')).toMatchObject({ ok: true });
    expect(findings.find(({ name }) => name === 'unshare')).toMatchObject({ ok: true });
  });
});
