import type { Duplex } from 'node:stream';

/** Connects to a port of the pod; rejects when nothing listens there. */
export type Dial = (port: number) => Promise<Duplex>;
