import { MemoryStore } from '../../../src/store/memory-store.ts';
import { SteppedClock } from '../../helpers/stepped-clock.ts';
import { describeStore } from './store-suite.ts';

describeStore('memory', async () => {
  const clock = new SteppedClock();
  return {
    open: async () => new MemoryStore({ clock }),
    pass: (seconds) => clock.step(seconds * 1000),
    close: async () => {},
  };
});
