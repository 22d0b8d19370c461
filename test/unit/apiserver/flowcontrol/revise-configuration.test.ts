import { describe, expect, test } from 'vitest';
import {
  AUTO_UPDATE,
  mandatoryPriorityLevels,
  suggestedFlowSchemas,
} from '../../../../src/apiserver/flowcontrol/bootstrap-configuration.ts';
import { reviseConfiguration } from '../../../../src/apiserver/flowcontrol/revise-configuration.ts';
import type { FlowSchema, PriorityLevelConfiguration } from '../../../../src/kube/generated/types.ts';

const wanted = suggestedFlowSchemas[0]!;
const changedSpec = { ...wanted.spec!, matchingPrecedence: 77 };
const withAnnotation = (text: string | undefined, generation = 2): FlowSchema => ({
  spec: changedSpec,
  metadata: { name: 'probes', generation, annotations: { mine: 'stays', ...(text ? { [AUTO_UPDATE]: text } : {}) } },
});
const annotationOf = (schema: FlowSchema | undefined): string | undefined =>
  schema?.metadata?.annotations?.[AUTO_UPDATE];

describe('a suggested object', () => {
  test('that is as it should be is left alone', () => {
    expect(reviseConfiguration(wanted, wanted, false)).toBeUndefined();
  });

  test.each(['true', 'T', '1'])('whose annotation says %s gets its spec back', (text) => {
    const revised = reviseConfiguration(withAnnotation(text), wanted, false);
    expect(revised?.spec).toEqual(wanted.spec);
    expect(revised?.metadata?.annotations?.['mine']).toBe('stays');
  });

  test.each(['false', 'F', '0'])('whose annotation says %s belongs to its owner', (text) => {
    expect(reviseConfiguration(withAnnotation(text), wanted, false)).toBeUndefined();
  });

  test('that was changed and says nothing is marked as its owner’s', () => {
    for (const text of [undefined, 'maybe', 'toString']) {
      const revised = reviseConfiguration(withAnnotation(text), wanted, false);
      expect(revised?.spec).toEqual(changedSpec);
      expect(annotationOf(revised)).toBe('false');
    }
  });

  test('of the first generation that says nothing is brought up to date', () => {
    const revised = reviseConfiguration(withAnnotation(undefined, 1), wanted, false);
    expect(revised?.spec).toEqual(wanted.spec);
    expect(annotationOf(revised)).toBe('true');
  });
});

describe('a mandatory object', () => {
  const [exempt, catchAll] = mandatoryPriorityLevels;

  test('gets spec and annotation back, whatever it says', () => {
    const live: PriorityLevelConfiguration = {
      metadata: { ...catchAll!.metadata, annotations: { [AUTO_UPDATE]: 'false' } },
      spec: exempt!.spec,
    };
    expect(reviseConfiguration(live, catchAll!, true)).toMatchObject(catchAll!);
  });

  test('named exempt may have other shares', () => {
    const spec = { type: 'Exempt', exempt: { nominalConcurrencyShares: 7, lendablePercent: 50 } };
    expect(reviseConfiguration({ ...exempt!, spec }, exempt!, true)).toBeUndefined();
    expect(reviseConfiguration({ ...exempt!, spec: { type: 'Exempt' } }, exempt!, true)?.spec).toEqual(exempt!.spec);
  });
});
