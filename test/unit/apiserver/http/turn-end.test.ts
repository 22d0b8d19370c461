import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { TurnEnd } from '../../../../src/apiserver/http/turn-end.ts';

test('what is added in one turn is done together and in order, what is added meanwhile in the next one', async () => {
  const turn = new TurnEnd();
  const done: string[] = [];
  turn.add(() => void done.push('first'));
  turn.add(() => {
    done.push('second');
    turn.add(() => void done.push('later'));
  });
  await Promise.resolve();
  expect(done).toEqual([]);
  await nextTurn();
  expect(done).toEqual(['first', 'second']);
  await nextTurn();
  expect(done).toEqual(['first', 'second', 'later']);
});
