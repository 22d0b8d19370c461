import { describe, expect, it } from 'vitest';
import { ChangeWatch } from '../../../src/proxy/change-watch.ts';

/** Rules that somebody may change, and how often they were looked at. */
function rules() {
  const state = { generation: '1' as string | undefined, intact: true, looks: 0 };
  const watch = new ChangeWatch();
  const look = async () => {
    state.looks += 1;
    return state.intact;
  };
  const isIntact = () => watch.isIntact(async () => state.generation, look);
  return { state, watch, look, isIntact };
}

describe('rules that nobody changes', () => {
  it('are looked at once', async () => {
    const { state, isIntact } = rules();
    for (let i = 0; i < 3; i++) expect(await isIntact()).toBe(true);
    expect(state.looks).toBe(1);
  });

  it('are looked at each time where the kernel does not tell', async () => {
    const { state, watch, look, isIntact } = rules();
    state.generation = undefined;
    for (let i = 0; i < 3; i++) expect(await isIntact()).toBe(true);
    for (let i = 0; i < 3; i++) expect(await watch.isIntact(undefined, look)).toBe(true);
    expect(state.looks).toBe(6);
  });
});

it('a change is looked at, also one that is made meanwhile', async () => {
  const { state, watch, look, isIntact } = rules();
  await isIntact();
  state.generation = '2';
  const meanwhile = async () => {
    const intact = await look();
    state.generation = '3';
    return intact;
  };
  expect(await watch.isIntact(async () => state.generation, meanwhile)).toBe(true);
  state.intact = false;
  expect(await isIntact()).toBe(false);
});

it('broken rules are looked at until they are whole, whatever the generation', async () => {
  const { state, isIntact } = rules();
  state.intact = false;
  for (let i = 0; i < 2; i++) expect(await isIntact()).toBe(false);
  state.intact = true;
  for (let i = 0; i < 2; i++) expect(await isIntact()).toBe(true);
  expect(state.looks).toBe(3);
});
