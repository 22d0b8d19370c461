import type { ProgramResult } from '../programs/run-program.ts';
import type { NodePlan, PodAttachment, PodPlan } from '../topology/plan.ts';

/** A pod to be made and connected to its node, whose namespace is found at a path. */
export interface AttachTask {
  readonly kind: 'attach';
  readonly node: NodePlan;
  readonly nodePath: string;
  readonly attachment: PodAttachment;
  readonly hostLink: string;
  readonly pod: PodPlan;
}

/** A program to be run to its end in the namespace at a path. */
export interface RunTask {
  readonly kind: 'run';
  readonly netnsName: string;
  readonly netnsPath: string;
  /** The program's path and its arguments. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly input: string;
}

export type KernelTask = AttachTask | RunTask;

/** What the thread is told: a task, or that none will follow. */
export type KernelThreadMessage = KernelTask | { readonly kind: 'end' };

/** A namespace that the thread made; its descriptor belongs to whoever asked. */
export interface MadeNamespace {
  readonly fd: number;
  readonly path: string;
}

export interface TaskResults {
  readonly attach: MadeNamespace;
  readonly run: ProgramResult;
}

/** What the thread says of the oldest task that it has not answered; without a result it could not do it. */
export interface TaskAnswer {
  readonly result: TaskResults[KernelTask['kind']] | undefined;
}
