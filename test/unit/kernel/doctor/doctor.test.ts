import { describe, expect, it } from 'vitest';
import { runProbes } from '../../../../src/kernel/doctor/finding.ts';
import { requirePrograms } from '../../../../src/kernel/doctor/required-programs.ts';

const about = { required: false, costs: 'something', remedy: 'a package' };

describe('probes', () => {
  it('become findings in their order, whatever they throw', async () => {
    const findings = await runProbes([
      { ...about, name: 'one', run: () => 'version 1' },
      { ...about, name: 'two', run: () => Promise.reject(new Error('no such option')) },
      {
        ...about,
        name: 'three',
        run: () => {
          throw new Error('refused');
        },
      },
    ]);
    expect(findings.map(({ name, ok, detail }) => [name, ok, detail])).toEqual([
      ['one', true, 'version 1'],
      ['two', false, 'no such option'],
      ['three', false, 'refused'],
    ]);
    expect(findings[0]).toMatchObject(about);
  });
});

describe('programs that a command needs', () => {
  it('are all there: nothing happens', () => {
    expect(() => requirePrograms(['sh'])).not.toThrow();
  });

  it('are missing: all are named, with their packages, before anything is built', () => {
    const path = process.env.PATH;
    process.env.PATH = '/nowhere';
    try {
      expect(() => requirePrograms(['sh', 'towtank-no-such-program', 'towtank-no-other'])).toThrow(
        expect.objectContaining({
          code: 'ERR_MISSING_PROGRAM',
          message: 'this machine lacks towtank-no-such-program, towtank-no-other',
          hint: expect.stringContaining('towtank-no-such-program and towtank-no-other'),
        }),
      );
    } finally {
      process.env.PATH = path;
    }
  });
});
